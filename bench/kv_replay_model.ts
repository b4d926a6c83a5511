/**
 * Replays request lengths through the block allocator alone, without a model.
 *
 * The model of time: there is always a request waiting, in the order of the trace, so that memory is what
 * limits. A request is admitted when its prompt and one token more fit under the occupancy that is asked for.
 * Its prompt takes one step, and each token of its answer one more; a token is stored one step after it was
 * chosen, so the last one never is. Where growth finds no block, the newest sequence gives its blocks up and
 * is computed again later. Figures are averages over the steps between the first request that had to wait and
 * the last one admitted.
 * @module
 */

import { KvBlocks } from "../src/ffi/kv_blocks.ts";
import { limits } from "../src/ffi/symbols.ts";
import { BlockTable, roomBlocks } from "../scheduler/mod.ts";

const BLOCK_TOKENS = limits.kvBlockTokens;

/** Lengths in tokens. */
export interface TraceRequest {
  prompt: number;
  generated: number;
}

/** What is replayed on what. */
export interface ReplayOptions {
  /** Blocks of the cache. */
  blocks: number;
  /** Requests are admitted while no more than this part of the blocks is in use. */
  occupancy: number;
  libraryPath?: string;
}

/** Averages over time, unless said otherwise. */
export interface ReplayResult {
  steps: number;
  /** Blocks in use ÷ blocks. */
  occupancy: number;
  /** Sequences at the same time. */
  sequences: number;
  /** Token slots allocated but not written ÷ allocated. */
  waste: number;
  wasteP99: number;
  /** The same ÷ all slots of the cache. */
  wasteOfCache: number;
  wasteOfCacheP99: number;
  /** Allocated blocks ÷ runs. */
  runBlocks: number;
  runsPerSequence: number;
  externalFragmentation: number;
  preemptions: number;
}

interface Live {
  request: TraceRequest;
  tokens: number;
  readonly table: BlockTable;
}

class Sums {
  steps = 0;
  blocks = 0;
  tokens = 0;
  sequences = 0;
  runs = 0;
  fragmentation = 0;
  fragmentationSamples = 0;
  readonly wastes: number[] = [];
  readonly wastesOfCache: number[] = [];
}

/** External fragmentation reads all free runs, so it is sampled. */
const FRAGMENTATION_EVERY = 16;

/** Blocks for the stored tokens of a length. */
export function blocksFor(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS);
}

/** Replays requests; each must fit into the cache alone. */
export function replay(requests: readonly TraceRequest[], options: ReplayOptions): ReplayResult {
  using kv = KvBlocks.open(options.blocks, { libraryPath: options.libraryPath });
  const run = new Replay(requests, options, kv);
  run.toEnd();
  if (kv.verify() !== "none" || kv.stats().free !== options.blocks) throw new Error("The replay lost blocks");
  return run.result();
}

class Replay {
  readonly #kv: KvBlocks;
  readonly #options: ReplayOptions;
  /** Next last. */
  readonly #waiting: TraceRequest[];
  #live: Live[] = [];
  #used = 0;
  #preemptions = 0;
  #full = false;
  readonly #sums = new Sums();

  constructor(requests: readonly TraceRequest[], options: ReplayOptions, kv: KvBlocks) {
    this.#kv = kv;
    this.#options = options;
    this.#waiting = requests.toReversed();
  }

  toEnd(): void {
    while (this.#waiting.length + this.#live.length > 0) {
      for (let i = 0; i < this.#live.length; i++) this.#advance(this.#live[i]);
      while (this.#admit());
      if (this.#full && this.#waiting.length > 0) this.#sample();
      this.#retire();
    }
  }

  #admit(): boolean {
    const request = this.#waiting.at(-1);
    if (request === undefined) return false;
    const limit = this.#options.occupancy * this.#options.blocks;
    if (this.#used + blocksFor(request.prompt + 1) > limit && this.#live.length > 0) {
      this.#full = true;
      return false;
    }
    this.#waiting.pop();
    const live: Live = { request, tokens: request.prompt, table: new BlockTable() };
    this.#live.push(live);
    if (!this.#grow(live)) throw new RangeError(`A request of ${request.prompt} tokens does not fit`);
    return true;
  }

  /** Stores the token chosen in the step before. */
  #advance(live: Live): void {
    live.tokens++;
    while (!this.#grow(live)) {
      const newest = this.#live.pop()!;
      this.#free(newest);
      this.#preemptions++;
      this.#waiting.push(newest.request);
      if (newest === live) return;
    }
  }

  #grow(live: Live): boolean {
    const count = blocksFor(live.tokens) - live.table.blocks;
    if (count <= 0) return true;
    const room = roomBlocks(this.#options.blocks - this.#used - count, this.#live.length);
    const runs = this.#kv.allocate(count, live.table.last, room);
    if (runs === null) return false;
    live.table.append(runs);
    this.#used += count;
    return true;
  }

  #free(live: Live): void {
    for (const { first, length } of live.table.runs) this.#kv.release(first, length);
    this.#used -= live.table.blocks;
  }

  #retire(): void {
    this.#live = this.#live.filter((live) => {
      const ended = live.tokens >= live.request.prompt + live.request.generated - 1;
      if (ended) this.#free(live);
      return !ended;
    });
  }

  #sample(): void {
    const sums = this.#sums;
    let tokens = 0, runs = 0;
    for (const live of this.#live) {
      tokens += live.tokens;
      runs += live.table.runs.length;
    }
    if (sums.steps++ % FRAGMENTATION_EVERY === 0) {
      sums.fragmentation += this.#kv.stats().externalFragmentation;
      sums.fragmentationSamples++;
    }
    sums.blocks += this.#used;
    sums.tokens += tokens;
    sums.sequences += this.#live.length;
    sums.runs += runs;
    const unused = this.#used * BLOCK_TOKENS - tokens;
    sums.wastes.push(unused / (this.#used * BLOCK_TOKENS));
    sums.wastesOfCache.push(unused / (this.#options.blocks * BLOCK_TOKENS));
  }

  result(): ReplayResult {
    const { steps, blocks, tokens, sequences, runs, fragmentation, fragmentationSamples } = this.#sums;
    const all = steps * this.#options.blocks;
    const unused = blocks * BLOCK_TOKENS - tokens;
    return {
      steps,
      occupancy: blocks / all,
      sequences: sequences / steps,
      waste: unused / (blocks * BLOCK_TOKENS),
      wasteP99: percentile99(this.#sums.wastes),
      wasteOfCache: unused / (all * BLOCK_TOKENS),
      wasteOfCacheP99: percentile99(this.#sums.wastesOfCache),
      runBlocks: blocks / runs,
      runsPerSequence: runs / sequences,
      externalFragmentation: fragmentation / fragmentationSamples,
      preemptions: this.#preemptions,
    };
  }
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(0.99 * values.length)];
}
