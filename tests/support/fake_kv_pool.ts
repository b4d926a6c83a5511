import type { BlockRun } from "../../scheduler/mod.ts";
import type { KvAllocator, KvPoolStats } from "../../src/engine/kv_pool.ts";
import { listed, runsOf } from "../../scheduler/testing/tables.ts";

/** First fit over a table of blocks, for tests that go without the kernel library. */
export class FirstFitPool implements KvAllocator {
  readonly blocks: number;
  readonly #references: Uint8Array;
  #lent = 0;

  constructor(blocks: number) {
    this.blocks = blocks;
    this.#references = new Uint8Array(blocks);
  }

  get freeBlocks(): number {
    return this.#references.reduce((free, count) => free + Number(count === 0), 0) - this.#lent;
  }

  tryAllocate(count: number, after = -1): BlockRun[] | null {
    if (count > this.freeBlocks) return null;
    const taken: number[] = [];
    for (let block = after + 1; taken.length < count && this.#references[block] === 0; block++) {
      taken.push(block);
      this.#references[block] = 1;
    }
    while (taken.length < count) {
      const block = this.#references.indexOf(0);
      this.#references[block] = 1;
      taken.push(block);
    }
    return runsOf(taken);
  }

  release(runs: readonly BlockRun[]): void {
    for (const block of listed(runs)) {
      if (this.#references[block] === 0) {
        throw new RangeError(`Cannot release KV block ${block}: it is not in use`);
      }
      this.#references[block]--;
    }
  }

  share(runs: readonly BlockRun[]): void {
    for (const block of listed(runs)) this.#references[block]++;
  }

  references(block: number): number {
    return this.#references[block];
  }

  lend(blocks: number): boolean {
    if (blocks > this.freeBlocks) return false;
    this.#lent += blocks;
    return true;
  }

  restore(blocks: number): void {
    this.#lent -= blocks;
  }

  serve(): void {}

  trim(): void {}

  stats(): KvPoolStats {
    const blocks = this.blocks, lent = this.#lent, free = this.freeBlocks + lent, used = blocks - free;
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
      lent,
    };
  }
}
