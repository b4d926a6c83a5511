/** Checks of the prefix cache's tree, for tests and simulations. @module */

import type { BlockAllocator } from "./block_allocator.ts";
import type { KvWindows } from "./kv_window.ts";
import type { PrefixNode } from "./prefix_node.ts";

/** A tree as its cache sees it. */
export interface CheckedTree {
  readonly roots: Iterable<PrefixNode>;
  /** The list of uses, from its end on. */
  readonly list: PrefixNode;
  readonly windows: KvWindows;
  readonly allocator: BlockAllocator;
  readonly placesOf: (node: PrefixNode) => number;
  /** Sequences that use a block of the tree. */
  readonly usersOf: (block: number) => number;
  /** What a block that is not in the tree has for users. */
  readonly notCached: number;
}

/** All nodes of the list of uses, and their place in it. */
export function positionsOf(list: PrefixNode): Map<PrefixNode, number> {
  const position = new Map<PrefixNode, number>();
  for (let node = list.newer; node !== list; node = node.newer) position.set(node, position.size);
  return position;
}

/** Blocks in the tree, and those of them that nobody uses. Throws an Error that says what is wrong. */
export function countTree(tree: CheckedTree): { blocks: number; evictable: number } {
  const { list, windows, placesOf } = tree;
  const counts = { blocks: 0, evictable: 0 };
  const position = positionsOf(list);
  const visit = (node: PrefixNode) => {
    for (const child of node.children.values()) {
      if (child.parent !== node) fail("a node's parent is another");
      const places = placesOf(child);
      if (places === 0) fail("a node has no blocks");
      if (!position.has(child)) fail("a node is not in the list of uses");
      if (node.parent !== null && position.get(child)! > position.get(node)!) {
        fail("a node is older than its child");
      }
      child.tables.forEach((table, group) => {
        if (table.end !== places) fail(`a node has ${places} places, ${table.end} in group ${group}`);
        if (windows[group] === undefined && table.blocks !== places) {
          fail(`a node lacks blocks of group ${group}`);
        }
      });
      countBlocks(child, tree, counts);
      visit(child);
    }
  };
  for (const root of tree.roots) visit(root);
  return counts;
}

function countBlocks(
  { tables }: PrefixNode,
  { allocator, usersOf, notCached }: CheckedTree,
  counts: { blocks: number; evictable: number },
): void {
  for (const { first, length } of tables.flatMap(({ runs }) => runs)) {
    for (let block = first; block < first + length; block++) {
      const references = allocator.references(block), users = usersOf(block);
      if (users === notCached || references < 1) fail(`block ${block} is free and in the tree`);
      if (references !== users + 1) fail(`block ${block} has ${references} references and ${users} users`);
      if (users === 0) counts.evictable++;
      counts.blocks++;
    }
  }
}

/** Throws what is wrong with a prefix cache. */
export function fail(what: string): never {
  throw new Error(`Prefix cache: ${what}`);
}
