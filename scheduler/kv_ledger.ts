import { type BlockAllocator, roomBlocks } from "./block_allocator.ts";
import type { BlockRun } from "./block_table.ts";
import { blocksAtOnce, firstSeen, type KvWindows } from "./kv_window.ts";
import type { PrefixCache } from "./prefix_cache.ts";
import type { SchedulerRequest, Sequence } from "./sequence.ts";

/** What a ledger goes by. */
export interface KvLedgerOptions {
  readonly blockTokens: number;
  /** Most tokens in a step. */
  readonly stepTokensMax: number;
  /** By group of layers. */
  readonly windows: KvWindows;
}

/**
 * Gives blocks to sequences and takes them back; what nobody uses stays in the prefix cache until there is
 * need.
 */
export class KvLedger {
  readonly #allocator: BlockAllocator;
  readonly #cache: PrefixCache;
  readonly #blockTokens: number;
  readonly #windows: KvWindows;
  readonly #hasWindows: boolean;
  /** By group, most blocks that a sequence has at a time. */
  readonly #atOnce: readonly number[];
  /** Sequences that have blocks. */
  #holders = 0;

  constructor(allocator: BlockAllocator, cache: PrefixCache, options: KvLedgerOptions) {
    const { blockTokens, stepTokensMax, windows } = options;
    this.#allocator = allocator;
    this.#cache = cache;
    this.#blockTokens = blockTokens;
    this.#windows = windows;
    this.#hasWindows = windows.some((window) => window !== undefined);
    this.#atOnce = windows.map((window) => blocksAtOnce(window, stepTokensMax, blockTokens));
  }

  /** Blocks that can be had without taking any from a running sequence. */
  get availableBlocks(): number {
    return this.#allocator.freeBlocks + this.#cache.evictableBlocks;
  }

  get blocks(): number {
    return this.#allocator.blocks;
  }

  /** Lists of blocks that a sequence has. */
  get groups(): number {
    return this.#windows.length;
  }

  /** Most blocks that a sequence of so many tokens has at a time. */
  blocksFor(tokens: number): number {
    const places = Math.ceil(tokens / this.#blockTokens);
    let blocks = 0;
    for (const most of this.#atOnce) blocks += Math.min(places, most);
    return blocks;
  }

  /**
   * Blocks that a sequence needs beside those it has to hold its first `tokens` tokens, as far as a step can
   * reach.
   */
  missing(sequence: Sequence, tokens: number): number {
    const places = Math.ceil(tokens / this.#blockTokens);
    let blocks = 0;
    for (let group = 0; group < this.#windows.length; group++) {
      blocks += this.#missingIn(sequence, group, places);
    }
    return blocks;
  }

  #missingIn({ tables }: Sequence, group: number, places: number): number {
    const { start, end } = tables[group];
    return Math.max(0, Math.min(places, start + this.#atOnce[group]) - end);
  }

  /** Tokens of a prompt that need not be computed. */
  peek({ tenant = "", tokens, sharesPrefix = true }: SchedulerRequest): number {
    return sharesPrefix ? this.#cache.peek(tenant, tokens) : 0;
  }

  /** Shares the known prefix of a sequence that has no blocks. */
  attach(sequence: Sequence): void {
    if (!sequence.sharesPrefix) return;
    const known = this.#cache.match(sequence.tenant, sequence.tokens);
    known.forEach((table, group) => {
      sequence.tables[group].skip(table.start);
      sequence.tables[group].append(table.runs);
    });
    sequence.first = sequence.tables[0].end * this.#blockTokens;
    if (sequence.first > 0) this.#holders++;
  }

  /**
   * Gives a sequence blocks for its first `tokens` tokens. False, and nothing is taken, when they cannot be
   * had.
   */
  reserve(sequence: Sequence, tokens: number): boolean {
    const wanted = this.missing(sequence, tokens);
    if (wanted === 0) return true;
    const short = wanted - this.#allocator.freeBlocks;
    if (short > this.#cache.evictableBlocks) return false;
    if (short > 0) this.#cache.evict(short);
    const holders = this.#holders + (sequence.hasBlocks ? 0 : 1);
    const room = roomBlocks(this.#allocator.freeBlocks - wanted, holders * this.#windows.length);
    const taken = this.#allocate(sequence, Math.ceil(tokens / this.#blockTokens), room);
    if (taken === null) return false;
    this.#holders = holders;
    taken.forEach((runs, group) => sequence.tables[group].append(runs));
    return true;
  }

  /** Tokens behind the first `tokens` that there are blocks for. */
  roomBehind({ tables }: Sequence, tokens: number): number {
    return Math.max(0, Math.min(...tables.map(({ end }) => end)) * this.#blockTokens - tokens);
  }

  /** Takes back the blocks behind those that the tokens of a sequence need. */
  cut({ tables, tokens }: Sequence): void {
    const places = Math.ceil(tokens.length / this.#blockTokens);
    for (const table of tables) if (table.end > places) this.#cache.release(table.split(places).runs);
  }

  /** What is missing up to a place, by group; null, and nothing is taken, where a group gets nothing. */
  #allocate(sequence: Sequence, places: number, room: number): (readonly BlockRun[])[] | null {
    const taken: (readonly BlockRun[])[] = [];
    for (let group = 0; group < this.#windows.length; group++) {
      const count = this.#missingIn(sequence, group, places);
      const runs = count === 0 ? [] : this.#allocator.tryAllocate(count, sequence.tables[group].last, room);
      if (runs === null) {
        for (const each of taken) this.#allocator.release(each);
        return null;
      }
      taken.push(runs);
    }
    return taken;
  }

  /** Lets others share what has been computed. */
  offer(sequence: Sequence): void {
    if (!sequence.sharesPrefix) return;
    const behind = this.#hasWindows ? this.#firstSeen(sequence) : undefined;
    this.#cache.insert(sequence.tenant, sequence.tokens.slice(0, sequence.first), sequence.tables, behind);
  }

  /**
   * Takes the blocks back that no token from `first` on sees. They stay in the cache for others who share
   * this prefix, and go before anything else does when there is need.
   */
  pass(sequence: Sequence): void {
    if (!this.#hasWindows) return;
    const seen = this.#firstSeen(sequence);
    if (sequence.tables.every(({ start }, group) => start >= seen[group])) return;
    this.offer(sequence);
    sequence.tables.forEach((table, group) => this.#cache.release(table.remove(0, seen[group])));
  }

  /** By group, the place of the first block that the next token sees. */
  #firstSeen({ first }: Sequence): number[] {
    return this.#windows.map((window) => firstSeen(window, first, this.#blockTokens));
  }

  /** Takes all blocks back. What has been computed stays in the cache, as long as nobody needs the room. */
  release(sequence: Sequence): void {
    if (!sequence.hasBlocks) return;
    this.#holders--;
    this.offer(sequence);
    for (const table of sequence.tables) this.#cache.release(table.clear());
    sequence.first = 0;
  }
}
