import { type BlockAllocator, roomBlocks } from "./block_allocator.ts";
import type { BlockRun } from "./block_table.ts";
import { blocksAtOnce, firstSeen, type KvWindows } from "./kv_window.ts";
import type { PrefixCache } from "./prefix_cache.ts";
import type { SchedulerRequest, Sequence } from "./sequence.ts";
import { SNAPSHOT_POLICY, type SnapshotPolicy } from "./snapshot_policy.ts";
import type { StateSlots } from "./state_slots.ts";
import { type StateFigures, StateLedger } from "./state_ledger.ts";

/** What a ledger goes by. */
export interface KvLedgerOptions {
  readonly blockTokens: number;
  /** Most tokens in a step. */
  readonly stepTokensMax: number;
  /** By group of layers. */
  readonly windows: KvWindows;
  /** For models whose sequences have states. */
  readonly states?: StateSlots;
  readonly snapshotPolicy?: SnapshotPolicy;
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
  readonly #states?: StateLedger;
  /** Sequences that have blocks. */
  #holders = 0;

  constructor(allocator: BlockAllocator, cache: PrefixCache, options: KvLedgerOptions) {
    const { blockTokens, stepTokensMax, windows } = options;
    this.#allocator = allocator;
    this.#cache = cache;
    this.#blockTokens = blockTokens;
    this.#windows = windows;
    this.#hasWindows = windows.some((window) => window !== undefined);
    const { states: slots, snapshotPolicy: policy = SNAPSHOT_POLICY } = options;
    if (slots !== undefined) this.#states = new StateLedger({ slots, cache, blockTokens, policy });
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

  /** Blocks whose memory the state of a sequence takes. */
  get stateBlocks(): number {
    return this.#states?.slotBlocks ?? 0;
  }

  /** Snapshots and what they came to; undefined where sequences have no states. */
  get stateFigures(): StateFigures | undefined {
    return this.#states?.figures;
  }

  /** Most blocks that a sequence of so many tokens takes at a time, its state's included. */
  neededFor(tokens: number): number {
    return this.blocksFor(tokens) + this.stateBlocks;
  }

  /** Blocks that a sequence has, and those that its state takes. */
  heldBy(sequence: Sequence): number {
    return sequence.blocks + (this.#states?.heldBy(sequence) ?? 0);
  }

  /** Most KV blocks that a sequence of so many tokens has at a time. */
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
    return blocks + (this.#states?.missing(sequence) ?? 0);
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
    this.#states?.attach(sequence);
  }

  /**
   * Gives a sequence blocks for its first `tokens` tokens, and a place for its next state. False when they
   * cannot be had.
   */
  reserve(sequence: Sequence, tokens: number): boolean {
    const wanted = this.missing(sequence, tokens);
    const short = wanted - this.#allocator.freeBlocks;
    if (short > this.#cache.evictableBlocks) return false;
    if (short > 0) this.#cache.evict(short);
    return this.#reserveBlocks(sequence, tokens) && (this.#states?.reserve(sequence) ?? true);
  }

  #reserveBlocks(sequence: Sequence, tokens: number): boolean {
    const places = Math.ceil(tokens / this.#blockTokens);
    const wanted = this.#windows.reduce<number>(
      (sum, _, group) => sum + this.#missingIn(sequence, group, places),
      0,
    );
    if (wanted === 0) return true;
    const holders = this.#holders + (sequence.hasBlocks ? 0 : 1);
    const room = roomBlocks(this.#allocator.freeBlocks - wanted, holders * this.#windows.length);
    const taken = this.#allocate(sequence, places, room);
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

  /** A sequence that was attached and has what it needs begins. */
  begin(sequence: Sequence): void {
    this.#states?.begin(sequence);
  }

  /** A prompt that came later begins like a sequence's first `tokens`. */
  noteFork(sequence: Sequence, tokens: number): void {
    this.#states?.noteFork(sequence, tokens);
  }

  /** A step has computed tokens of a sequence: its state is another one now. */
  advance(sequence: Sequence): void {
    this.#states?.advance(sequence);
  }

  /** Lets the next step leave a sequence's state as it is, beside the next one; false where it cannot. */
  separate(sequence: Sequence): boolean {
    return this.#states?.separate(sequence) ?? true;
  }

  /** Some of what a step has computed is wrong. True where a sequence has its state from before it again. */
  goBack(sequence: Sequence): boolean {
    return this.#states?.goBack(sequence) ?? false;
  }

  /**
   * A step has computed nothing, or a part of it. False where the sequence has lost its state with that and
   * has to begin again.
   */
  rewind(sequence: Sequence): boolean {
    return this.#states?.rewind(sequence) ?? true;
  }

  /** Lets others share what has been computed. */
  offer(sequence: Sequence): void {
    if (!sequence.sharesPrefix) return;
    const behind = this.#hasWindows ? this.#firstSeen(sequence) : undefined;
    // Without a snapshot behind them blocks are of no use to others.
    const end = this.#states === undefined ? sequence.first : sequence.keptTokens;
    this.#cache.insert(sequence.tenant, sequence.tokens.slice(0, end), sequence.tables, behind);
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
    this.#states?.release(sequence);
    for (const table of sequence.tables) this.#cache.release(table.clear());
    sequence.first = 0;
  }
}
