import { type BlockAllocator, type BlockRun, StateSlots } from "../../scheduler/mod.ts";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import type { KvBlocks, KvBlockStats } from "../ffi/kv_blocks.ts";

/** The blocks of an engine's KV cache. */
export interface KvAllocator extends BlockAllocator {
  /** Says what the memory that is lent serves for. */
  serve(states: IdleStates): void;
  /** Gives memory back as far as the policy says; for moments in which nothing waits. */
  trim(): void;
  stats(): KvPoolStats;
}

/** Figures of the cache as a whole. */
export interface KvPoolStats extends KvBlockStats {
  /** Bytes of memory behind the cache, as the system counts its pages; undefined where nothing tells. */
  committedBytes?: number;
  /** Blocks in the stretches that were given back to the system so far. */
  givenBackBlocks: number;
  /** Free blocks whose memory serves for something else. */
  lent: number;
}

/** The memory that blocks stand for. */
export interface KvMemory {
  giveBack(slotFirst: number, slotCount: number): void;
  residentBytes(): number | undefined;
  /** The memory of a state, where there are any. */
  giveBackState?(slot: number): void;
}

/** Places for states that hold none now, but may still have memory. */
export type IdleStates = Pick<StateSlots, "idleBlocks" | "slotBlocks" | "takeIdle">;

/** How a pool treats memory. */
export interface KvPoolOptions {
  /** Free runs of at least so many blocks go back to the system; default {@linkcode GIVE_BACK_BLOCKS}. */
  giveBackBlocks?: number;
  /** Default: none, as in a simulation. */
  memory?: KvMemory;
}

/**
 * Default of the free runs that go back to the system: 1,024 tokens. Giving so many back takes 3 ms for a
 * model of 1B parameters and some 15 ms for one of 8B; taking them again costs 0.3 to 0.5 ms a block, which
 * is less than 1 % of computing what they store.
 */
export const GIVE_BACK_BLOCKS = 64;

/**
 * Buddy allocation over the blocks of a cache. The memory of large free runs goes back to the system: a part
 * with each release, so that no step waits for long, and the rest when there is nothing to compute.
 */
export class KvPool implements KvAllocator {
  readonly #blocks: KvBlocks;
  readonly #memory?: KvMemory;
  readonly #giveBackBlocks: number;
  #freeBlocks: number;
  #givenBackBlocks = 0;
  #lent = 0;
  #states?: IdleStates;

  /** `blocks` stays the caller's to dispose of. */
  constructor(blocks: KvBlocks, { giveBackBlocks = GIVE_BACK_BLOCKS, memory }: KvPoolOptions = {}) {
    if (!(giveBackBlocks >= 1)) {
      throw new RangeError(`Option "giveBackBlocks" must be at least 1, current value is ${giveBackBlocks}`);
    }
    this.#blocks = blocks;
    this.#memory = memory;
    this.#giveBackBlocks = Math.ceil(giveBackBlocks);
    this.#freeBlocks = blocks.stats().free;
  }

  get blocks(): number {
    return this.#blocks.blocks;
  }

  get freeBlocks(): number {
    return this.#freeBlocks;
  }

  tryAllocate(count: number, after?: number, room = 0): readonly BlockRun[] | null {
    if (count === 0) return [];
    if (count > this.#freeBlocks) return null;
    const runs = this.#blocks.allocate(count, after, room);
    if (runs === null) return null;
    this.#freeBlocks -= count;
    this.#keepToBudget();
    return runs;
  }

  release(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) this.#freeBlocks += this.#blocks.release(first, length);
    if (runs.length > 0) this.#giveBack();
  }

  share(runs: readonly BlockRun[]): void {
    for (const { first, length } of runs) this.#blocks.share(first, length);
  }

  references(block: number): number {
    return this.#blocks.references(block);
  }

  lend(blocks: number): boolean {
    if (blocks > this.#freeBlocks) return false;
    this.#freeBlocks -= blocks;
    this.#lent += blocks;
    this.#keepToBudget();
    return true;
  }

  restore(blocks: number): void {
    this.#freeBlocks += blocks;
    this.#lent -= blocks;
  }

  serve(states: IdleStates): void {
    this.#states = states;
  }

  /** Blocks and states have no more memory together than there is for blocks: free ones give theirs back. */
  #keepToBudget(): void {
    const states = this.#states;
    if (this.#memory === undefined || states === undefined) return;
    for (;;) {
      const { used, idle, blocks } = this.#blocks.stats();
      const over = used + idle + this.#lent + states.idleBlocks - blocks;
      if (over <= 0 || !this.#giveBackState() && !this.#giveBackIdle(1, over)) return;
    }
  }

  trim(): void {
    while (this.#giveBack());
    const states = this.#states;
    if (states === undefined || this.#giveBackBlocks > this.#blocks.blocks) return;
    // The next request begins without waiting for memory.
    while (states.idleBlocks > states.slotBlocks && this.#giveBackState());
  }

  #giveBack(): boolean {
    if (this.#memory === undefined || this.#giveBackBlocks > this.#blocks.blocks) return false;
    return this.#giveBackIdle(this.#giveBackBlocks, this.#giveBackBlocks);
  }

  #giveBackIdle(blocksMin: number, blocksMax: number): boolean {
    const run = this.#blocks.takeIdle(blocksMin, blocksMax);
    if (run === null) return false;
    this.#memory!.giveBack(run.first * BLOCK_TOKENS, run.length * BLOCK_TOKENS);
    this.#givenBackBlocks += run.length;
    return true;
  }

  #giveBackState(): boolean {
    const slot = this.#memory?.giveBackState === undefined ? undefined : this.#states?.takeIdle();
    if (slot === undefined) return false;
    this.#memory!.giveBackState!(slot);
    return true;
  }

  stats(): KvPoolStats {
    return {
      ...this.#blocks.stats(),
      committedBytes: this.#memory?.residentBytes(),
      givenBackBlocks: this.#givenBackBlocks,
      lent: this.#lent,
    };
  }
}

/** Places for states of sequences in the memory of a cache; undefined where layers keep none. */
export function createStates(
  { stateBlocks, stateSlots }: { readonly stateBlocks: number; readonly stateSlots: number },
  allocator: KvAllocator,
): StateSlots | undefined {
  if (stateBlocks === 0) return undefined;
  const states = new StateSlots(allocator, stateBlocks, stateSlots);
  allocator.serve(states);
  return states;
}
