import type { BlockAllocator, KvPoolStats } from "./kv_pool.ts";

/** First fit over a table of blocks, for tests that go without the kernel library. */
export class FirstFitPool implements BlockAllocator {
  readonly #used: Uint8Array;

  constructor(blocks: number) {
    this.#used = new Uint8Array(blocks);
  }

  get freeBlocks(): number {
    return this.#used.reduce((free, used) => free + 1 - used, 0);
  }

  tryAllocate(count: number, after = -1): number[] | null {
    if (count > this.freeBlocks) return null;
    const taken: number[] = [];
    for (let block = after + 1; taken.length < count && this.#used[block] === 0; block++) {
      taken.push(block);
      this.#used[block] = 1;
    }
    while (taken.length < count) {
      const block = this.#used.indexOf(0);
      this.#used[block] = 1;
      taken.push(block);
    }
    return taken;
  }

  release(blocks: readonly number[]): void {
    for (const block of blocks) {
      if (this.#used[block] !== 1) throw new RangeError(`Cannot release KV block ${block}: it is not in use`);
      this.#used[block] = 0;
    }
  }

  trim(): void {}

  stats(): KvPoolStats {
    const blocks = this.#used.length, free = this.freeBlocks, used = blocks - free;
    return {
      blocks,
      free,
      used,
      shared: 0,
      references: used,
      idle: 0,
      largestFree: free,
      freeRuns: [],
      externalFragmentation: 0,
      givenBackBlocks: 0,
    };
  }
}
