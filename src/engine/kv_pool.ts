/** Hands out blocks of the KV cache. Running out is a value and not an exception: the caller decides. */
export interface BlockAllocator {
  readonly freeBlocks: number;
  /** `count` blocks, or null and nothing taken. Prefers the blocks that follow `after`, so that runs stay long. */
  tryAllocate(count: number, after?: number): number[] | null;
  release(blocks: readonly number[]): void;
}

/** First fit over a table of blocks. */
export class KvPool implements BlockAllocator {
  readonly #used: Uint8Array;
  #freeBlocks: number;

  constructor(blocks: number) {
    if (!Number.isInteger(blocks) || blocks < 1) {
      throw new RangeError(
        `Cannot create KV pool: blocks must be a positive integer, current value is ${blocks}`,
      );
    }
    this.#used = new Uint8Array(blocks);
    this.#freeBlocks = blocks;
  }

  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  tryAllocate(count: number, after = -1): number[] | null {
    if (count > this.#freeBlocks) return null;
    const taken: number[] = [];
    for (let block = after + 1; taken.length < count && this.#used[block] === 0; block++) taken.push(block);
    for (const block of taken) this.#used[block] = 1;
    let from = 0;
    while (taken.length < count) {
      const block = this.#used.indexOf(0, from);
      this.#used[block] = 1;
      taken.push(block);
      from = block + 1;
    }
    this.#freeBlocks -= count;
    return taken;
  }

  release(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (this.#used[block] !== 1) throw new RangeError(`Cannot release KV block ${block}: it is not in use`);
      this.#used[block] = 0;
    }
    this.#freeBlocks += blocks.length;
  }
}
