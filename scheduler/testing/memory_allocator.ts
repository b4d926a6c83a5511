import type { BlockAllocator } from "../mod.ts";

/** The plainest allocator there can be: a reference count per block and a stack of free ones. */
export class MemoryAllocator implements BlockAllocator {
  readonly blocks: number;
  readonly #references: Uint32Array;
  /** Free blocks; those with a count are stale entries of blocks that were taken out of turn. */
  readonly #free: number[] = [];
  readonly #isListed: Uint8Array;
  #freeBlocks: number;

  constructor(blocks: number) {
    this.blocks = this.#freeBlocks = blocks;
    this.#references = new Uint32Array(blocks);
    this.#isListed = new Uint8Array(blocks).fill(1);
    for (let block = blocks - 1; block >= 0; block--) this.#free.push(block);
  }

  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  tryAllocate(count: number, after?: number): number[] | null {
    if (count > this.#freeBlocks) return null;
    const taken: number[] = [];
    for (let last = after; taken.length < count; last = taken.at(-1)) taken.push(this.#takeAfter(last));
    return taken;
  }

  #takeAfter(last: number | undefined): number {
    if (last === undefined || last + 1 >= this.blocks || this.#references[last + 1] > 0) return this.#take();
    this.#references[last + 1] = 1;
    this.#freeBlocks--;
    return last + 1;
  }

  share(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (this.#references[block] === 0) throw new Error(`Block ${block} is free and cannot be shared`);
      this.#references[block]++;
    }
  }

  release(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (this.#references[block] === 0) throw new Error(`Block ${block} is free and cannot be released`);
      if (--this.#references[block] > 0) continue;
      this.#freeBlocks++;
      if (this.#isListed[block] === 0) this.#free.push(block);
      this.#isListed[block] = 1;
    }
  }

  references(block: number): number {
    return this.#references[block];
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
