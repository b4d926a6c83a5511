import type { BlockAllocator } from "./block_allocator.ts";

/**
 * Places for the states of sequences: what layers keep that read no earlier keys, of one size however long a
 * sequence is. A slot takes the memory of `slotBlocks` KV blocks out of the same budget.
 *
 * A slot that a snapshot or several sequences use is only read. Whoever goes on from it writes into another
 * one, so a snapshot is made by keeping a slot and nothing is copied for it.
 */
export class StateSlots {
  /** KV blocks whose memory a slot takes. */
  readonly slotBlocks: number;
  /** Slots that there can be; they are numbered from 0. */
  readonly slots: number;
  readonly #allocator: BlockAllocator;
  /** By slot, how many sequences use it. */
  readonly #users: Uint32Array;
  /** By slot, 1 where it is a snapshot. */
  readonly #isSnapshot: Uint8Array;
  /** Lowest numbers last, so that memory is used again before more of it is. */
  readonly #free: number[];
  /** Free slots that were in use since they were last reported. */
  readonly #idle = new Set<number>();
  #snapshots = 0;
  #unused = 0;

  /** `slotsMax`: most slots. Throws a RangeError for a size that is no positive integer. */
  constructor(allocator: BlockAllocator, slotBlocks: number, slotsMax = Infinity) {
    if (!Number.isInteger(slotBlocks) || slotBlocks < 1) {
      throw new RangeError(`A state must take some KV blocks' memory, current value is ${slotBlocks}`);
    }
    this.slotBlocks = slotBlocks;
    this.slots = Math.min(slotsMax, Math.floor(allocator.blocks / slotBlocks));
    this.#allocator = allocator;
    this.#users = new Uint32Array(this.slots);
    this.#isSnapshot = new Uint8Array(this.slots);
    this.#free = Array.from({ length: this.slots }, (_, i) => this.slots - 1 - i);
  }

  /** Slots that a sequence or a snapshot has. */
  get used(): number {
    return this.slots - this.#free.length;
  }

  /** Blocks whose memory free slots may still have. */
  get idleBlocks(): number {
    return this.#idle.size * this.slotBlocks;
  }

  /** A free slot whose memory could be given back; undefined where none has any. */
  takeIdle(): number | undefined {
    const [slot] = this.#idle;
    if (slot !== undefined) this.#idle.delete(slot);
    return slot;
  }

  /** Slots that are snapshots. */
  get snapshots(): number {
    return this.#snapshots;
  }

  /** Blocks whose memory only snapshots have. */
  get unusedBlocks(): number {
    return this.#unused * this.slotBlocks;
  }

  /** A slot for one sequence, if there is memory for it. */
  tryTake(): number | null {
    if (this.#free.length === 0 || !this.#allocator.lend(this.slotBlocks)) return null;
    const slot = this.#free.pop()!;
    this.#idle.delete(slot);
    this.#users[slot] = 1;
    return slot;
  }

  /** How many sequences use a slot. */
  users(slot: number): number {
    return this.#users[slot];
  }

  /** Whether a slot is a snapshot. */
  isSnapshot(slot: number): boolean {
    return this.#isSnapshot[slot] === 1;
  }

  /** Whether the one sequence that uses a slot may write into it. */
  isOwn(slot: number): boolean {
    return this.#users[slot] === 1 && this.#isSnapshot[slot] === 0;
  }

  /** One more sequence uses a slot. */
  use(slot: number): void {
    if (this.#users[slot]++ === 0) this.#unused -= this.#isSnapshot[slot];
  }

  /** A sequence does not use a slot any more. */
  leave(slot: number): void {
    if (this.#users[slot] === 0) throw new Error(`State slot ${slot} is used by no sequence`);
    if (--this.#users[slot] > 0) return;
    if (this.#isSnapshot[slot] === 1) this.#unused++;
    else this.#release(slot);
  }

  /** Makes a slot that a sequence uses a snapshot. */
  keep(slot: number): void {
    if (this.#users[slot] === 0 || this.#isSnapshot[slot] === 1) {
      throw new Error(`State slot ${slot} cannot be kept: ${this.#users[slot]} sequences use it`);
    }
    this.#isSnapshot[slot] = 1;
    this.#snapshots++;
  }

  /** A slot is no snapshot any more. Returns how many blocks' memory falls free. */
  drop(slot: number): number {
    if (this.#isSnapshot[slot] === 0) throw new Error(`State slot ${slot} is no snapshot`);
    this.#isSnapshot[slot] = 0;
    this.#snapshots--;
    if (this.#users[slot] > 0) return 0;
    this.#unused--;
    this.#release(slot);
    return this.slotBlocks;
  }

  #release(slot: number): void {
    this.#free.push(slot);
    this.#idle.add(slot);
    this.#allocator.restore(this.slotBlocks);
  }
}
