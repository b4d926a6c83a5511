/** What the prefix cache's tree is made of. @module */

import { BlockTable } from "./block_table.ts";

/** An edge of the tree and the node below it. A root has no tokens. */
export interface PrefixNode {
  parent: PrefixNode | null;
  tokens: Int32Array;
  /** By group of layers, the blocks that hold the tokens. Groups with a window may lack some. */
  readonly tables: BlockTable[];
  /** By group: before this place no query of those who computed it sees a block any more. */
  readonly behind: number[];
  /** Hash of its first block, by which its parent knows it. */
  key: number;
  readonly children: Map<number, PrefixNode>;
  readonly tenant: string;
  /** The slot with the state after its last token, for models that have states. */
  snapshot?: number;
  older: PrefixNode;
  newer: PrefixNode;
}

/**
 * Nodes from below the root on that have the first `places` blocks of tokens; the last one perhaps only in
 * part.
 */
export interface PrefixPath {
  readonly nodes: readonly PrefixNode[];
  readonly places: number;
}

/** What the nodes of a tenant hang from. `groups`: groups of layers. */
export function createRoot(tenant: string, groups: number): PrefixNode {
  return createNode({ tenant, parent: null, tokens: new Int32Array(0), tables: [], key: 0 }, groups);
}

/** A new node below another. */
export function createChild(
  parent: PrefixNode,
  tokens: Int32Array,
  tables: BlockTable[],
  blockTokens: number,
): PrefixNode {
  const key = hashTokens(tokens, 0, blockTokens);
  const node = createNode({ tenant: parent.tenant, parent, tokens, tables, key }, parent.behind.length);
  parent.children.set(key, node);
  return node;
}

/** Cuts an edge after `count` blocks; returns the new upper node, which has no snapshot. */
export function splitNode(lower: PrefixNode, count: number, blockTokens: number): PrefixNode {
  const cut = count * blockTokens;
  const rests = lower.tables.map((table) => table.split(count));
  const upper = createChild(lower.parent!, lower.tokens.slice(0, cut), [...lower.tables], blockTokens);
  lower.tables.splice(0, lower.tables.length, ...rests);
  lower.behind.forEach((place, group) => {
    upper.behind[group] = Math.min(place, count);
    lower.behind[group] = Math.max(0, place - count);
  });
  lower.tokens = lower.tokens.slice(cut);
  lower.key = hashTokens(lower.tokens, 0, blockTokens);
  lower.parent = upper;
  upper.children.set(lower.key, lower);
  linkAfter(upper, lower);
  return upper;
}

/** A node in no tree, alone in its list. */
function createNode(
  made: Pick<PrefixNode, "tenant" | "parent" | "tokens" | "tables" | "key">,
  groups: number,
): PrefixNode {
  const behind = new Array<number>(groups).fill(0);
  const node = { ...made, behind, children: new Map<number, PrefixNode>() } as unknown as PrefixNode;
  node.older = node.newer = node;
  return node;
}

/** By group, the blocks on a path. `placesOf`: blocks of tokens that a node has. */
export function tablesOf(
  { nodes, places }: PrefixPath,
  groups: number,
  placesOf: (node: PrefixNode) => number,
): BlockTable[] {
  return Array.from({ length: groups }, (_, group) => {
    const table = new BlockTable();
    let from = 0;
    for (const node of nodes) {
      for (const run of node.tables[group].slice(0, places - from)) {
        table.skip(from + run.at - table.end);
        table.append([run]);
      }
      from += placesOf(node);
    }
    return table;
  });
}

/** FNV-1a over `count` tokens from `first` on. */
export function hashTokens(tokens: ArrayLike<number>, first: number, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = first; i < first + count; i++) hash = Math.imul(hash ^ tokens[i], 0x01000193);
  // The low bits of FNV depend on the low bits of the tokens only.
  return hash ^ (hash >>> 15);
}

/** Tokens at the start of a node's edge that are equal to `tokens` from `from` on, at most `most`. */
export function commonTokens(
  node: PrefixNode,
  tokens: ArrayLike<number>,
  from: number,
  most: number,
): number {
  let i = 0;
  while (i < most && node.tokens[i] === tokens[from + i]) i++;
  return i;
}

/** The last place from `start` to `end` − 1 that has no block; −1 where all have. */
export function lastGap(table: BlockTable, start: number, end: number): number {
  let covered = end;
  for (const run of table.slice(start, end).toReversed()) {
    if (run.at + run.length < covered) break;
    covered = run.at;
  }
  return covered > start ? covered - 1 : -1;
}

/** Takes a node out of the list. */
export function unlink(node: PrefixNode): void {
  node.older.newer = node.newer;
  node.newer.older = node.older;
  node.older = node.newer = node;
}

/** Puts `node` into the list as the next newer one than `older`. */
export function linkAfter(node: PrefixNode, older: PrefixNode): void {
  node.older = older;
  node.newer = older.newer;
  older.newer.older = node;
  older.newer = node;
}
