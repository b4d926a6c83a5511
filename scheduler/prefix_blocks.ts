import type { BlockAllocator } from "./block_allocator.ts";
import { type BlockRun, blocksIn } from "./block_table.ts";

/** Of a block that the tree does not have. */
export const NOT_CACHED = -1;

/** Which blocks the prefix cache's tree has, with one reference to each, and how many sequences use them. */
export class PrefixBlocks {
  readonly #allocator: BlockAllocator;
  /** By block, how many sequences use it, if it is in the tree. */
  readonly #users: Int32Array;
  #count = 0;
  #unused = 0;

  constructor(allocator: BlockAllocator) {
    this.#allocator = allocator;
    this.#users = new Int32Array(allocator.blocks).fill(NOT_CACHED);
  }

  /** Blocks in the tree. */
  get count(): number {
    return this.#count;
  }

  /** Those of them that no sequence uses. */
  get unused(): number {
    return this.#unused;
  }

  /** Sequences that use a block; {@linkcode NOT_CACHED} where it is not in the tree. */
  usersOf(block: number): number {
    return this.#users[block];
  }

  /** Takes a sequence's blocks into the tree. */
  adopt(run: BlockRun): void {
    this.#allocator.share([run]);
    this.#users.fill(1, run.first, run.first + run.length);
    this.#count += run.length;
  }

  /** Gives a sequence references to blocks of the tree. */
  share(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) {
      for (let block = first; block < first + length; block++) {
        if (this.#users[block]++ === 0) this.#unused--;
      }
    }
    this.#allocator.share(runs);
  }

  /** Gives back a sequence's references to any blocks. */
  release(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) {
      for (let block = first; block < first + length; block++) {
        if (this.#users[block] > 0 && --this.#users[block] === 0) this.#unused++;
      }
    }
    this.#allocator.release(runs);
  }

  /** Takes unused blocks out of the tree; returns how many. */
  free(runs: readonly BlockRun[]): number {
    for (const { first, length } of runs) this.#users.fill(NOT_CACHED, first, first + length);
    const blocks = blocksIn(runs);
    this.#count -= blocks;
    this.#unused -= blocks;
    if (blocks > 0) this.#allocator.release(runs);
    return blocks;
  }
}
