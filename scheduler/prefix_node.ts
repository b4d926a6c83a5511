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

/** A node that is in no tree yet, alone in its list. `groups`: groups of layers. */
export function createNode(
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
