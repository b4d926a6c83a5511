import type { BlockAllocator } from "./block_allocator.ts";
import type { BlockRun } from "./block_table.ts";

/**
 * The plainest allocator there can be: a reference count per block and a stack of free ones. For simulations,
 * which have no memory behind their blocks.
 */
export class MemoryAllocator implements BlockAllocator {
  readonly blocks: number;
  readonly #references: Uint32Array;
  /** Free blocks; those with a count are stale entries of blocks that were taken out of turn. */
  readonly #free: number[] = [];
  readonly #isListed: Uint8Array;
  #freeBlocks: number;
  #lent = 0;

  constructor(blocks: number) {
    this.blocks = this.#freeBlocks = blocks;
    this.#references = new Uint32Array(blocks);
    this.#isListed = new Uint8Array(blocks).fill(1);
    for (let block = blocks - 1; block >= 0; block--) this.#free.push(block);
  }

  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  tryAllocate(count: number, after?: number): readonly BlockRun[] | null {
    if (count > this.#freeBlocks) return null;
    const runs: { first: number; length: number }[] = [];
    let last = after;
    for (let i = 0; i < count; i++) {
      const block = this.#takeAfter(last);
      const run = runs.at(-1);
      if (run !== undefined && run.first + run.length === block) run.length++;
      else runs.push({ first: block, length: 1 });
      last = block;
    }
    return runs;
  }

  #takeAfter(last: number | undefined): number {
    if (last === undefined || last + 1 >= this.blocks || this.#references[last + 1] > 0) return this.#take();
    this.#references[last + 1] = 1;
    this.#freeBlocks--;
    return last + 1;
  }

  share(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) {
      for (let block = first; block < first + length; block++) {
        if (this.#references[block] === 0) throw new Error(`Block ${block} is free and cannot be shared`);
        this.#references[block]++;
      }
    }
  }

  release(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) {
      for (let block = first; block < first + length; block++) this.#releaseBlock(block);
    }
  }

  #releaseBlock(block: number): void {
    if (this.#references[block] === 0) throw new Error(`Block ${block} is free and cannot be released`);
    if (--this.#references[block] > 0) return;
    this.#freeBlocks++;
    if (this.#isListed[block] === 0) this.#free.push(block);
    this.#isListed[block] = 1;
  }

  references(block: number): number {
    return this.#references[block];
  }

  lend(blocks: number): boolean {
    if (blocks > this.#freeBlocks) return false;
    this.#freeBlocks -= blocks;
    this.#lent += blocks;
    return true;
  }

  restore(blocks: number): void {
    if (blocks > this.#lent) throw new Error(`${blocks} blocks come back, ${this.#lent} were lent`);
    this.#freeBlocks += blocks;
    this.#lent -= blocks;
  }

  #take(): number {
    for (;;) {
      const block = this.#free.pop()!;
      this.#isListed[block] = 0;
      if (this.#references[block] > 0) continue;
      this.#references[block] = 1;
      this.#freeBlocks--;
      return block;
    }
  }
}
