import type { PrefixCache } from "./prefix_cache.ts";
import type { Sequence } from "./sequence.ts";
import { isWorthKeeping, lastingBorders, type SnapshotPolicy } from "./snapshot_policy.ts";
import type { StateSlots } from "./state_slots.ts";

/** What a ledger of states is made of. */
export interface StateLedgerParts {
  readonly slots: StateSlots;
  readonly cache: PrefixCache;
  readonly blockTokens: number;
  readonly policy: SnapshotPolicy;
}

/** How states are used now, and what snapshots came to since the start. */
export interface StateFigures {
  /** Blocks whose memory a state takes. */
  readonly slotBlocks: number;
  /** Slots in use, snapshots included, and how many of them are snapshots. */
  readonly used: number;
  readonly snapshots: number;
  /** Snapshots that were kept, and sequences that went on from one. */
  readonly kept: number;
  readonly hits: number;
  /** Tokens of prompts whose blocks were known, but that were computed again for lack of a snapshot. */
  readonly lostTokens: number;
}

/**
 * Gives sequences slots for their states and keeps some of the states as snapshots. Blocks are counted by its
 * user, {@linkcode KvLedger}.
 */
export class StateLedger {
  readonly #slots: StateSlots;
  readonly #cache: PrefixCache;
  readonly #blockTokens: number;
  readonly #policy: SnapshotPolicy;
  #kept = 0;
  #hits = 0;
  #lostTokens = 0;

  constructor({ slots, cache, blockTokens, policy }: StateLedgerParts) {
    this.#slots = slots;
    this.#cache = cache;
    this.#blockTokens = blockTokens;
    this.#policy = policy;
  }

  get slotBlocks(): number {
    return this.#slots.slotBlocks;
  }

  get figures(): StateFigures {
    const { slotBlocks, used, snapshots } = this.#slots;
    return { slotBlocks, used, snapshots, kept: this.#kept, hits: this.#hits, lostTokens: this.#lostTokens };
  }

  /** Blocks whose memory a sequence needs for its next state: none where it may write where its state is. */
  missing({ slot, nextSlot }: Sequence): number {
    if (nextSlot !== undefined) return 0;
    return slot !== undefined && this.#slots.users(slot) === 1 ? 0 : this.slotBlocks;
  }

  /** Blocks whose memory a sequence's slots have. */
  heldBy({ slot, nextSlot }: Sequence): number {
    const own = nextSlot === slot ? 0 : Number(nextSlot !== undefined);
    return (own + Number(slot !== undefined)) * this.slotBlocks;
  }

  /** A sequence goes on after the prefix that it has found: from the snapshot there. */
  attach(sequence: Sequence): void {
    const { tenant, tokens, first, promptTokens } = sequence;
    const known = this.#cache.peekKnown(tenant, tokens);
    if (first > 0) {
      sequence.slot = this.#cache.snapshotAfter(tenant, tokens.slice(0, first))!;
      this.#slots.use(sequence.slot);
    }
    sequence.lostTokens = known - first;
    sequence.keptTokens = first;
    sequence.passingTokens = 0;
    if (this.#cache.isOff) return;
    // The second one that leaves the others here: more will.
    if (known > first && known < promptTokens) sequence.forks.add(known);
    sequence.alignTokens = this.#blockTokens;
    this.#setBorders(sequence);
  }

  /** Counts what a sequence has found that begins now. */
  begin({ first, lostTokens }: Sequence): void {
    if (first > 0) this.#hits++;
    this.#lostTokens += lostTokens;
  }

  /** A prompt that came later begins like this one's first `tokens`. */
  noteFork(sequence: Sequence, tokens: number): void {
    if (!sequence.sharesPrefix || this.#cache.isOff) return;
    sequence.forks.add(tokens);
    if (sequence.hasBlocks) this.#setBorders(sequence);
  }

  #setBorders(sequence: Sequence): void {
    sequence.borders = lastingBorders(sequence, sequence.forks, this.#blockTokens, this.#policy);
  }

  /** Gives a sequence a slot for its next state; false where there is no memory for it. */
  reserve(sequence: Sequence): boolean {
    if (sequence.nextSlot !== undefined) return true;
    const { slot } = sequence, slots = this.#slots;
    sequence.nextSlot = slot !== undefined && slots.isOwn(slot) ? slot : this.#take() ?? undefined;
    if (sequence.nextSlot === undefined && slot !== undefined && slots.users(slot) === 1) {
      // Going on is worth more than the snapshot.
      if (slots.isSnapshot(slot)) this.#cache.dropSlot(slot);
      sequence.nextSlot = slot;
    }
    return sequence.nextSlot !== undefined;
  }

  /** Lets the next step write beside a sequence's state, not over it; false where there is no memory for that. */
  separate(sequence: Sequence): boolean {
    const { slot, nextSlot } = sequence;
    if (slot === undefined || slot !== nextSlot) return true;
    const other = this.#take();
    sequence.nextSlot = other ?? slot;
    return other !== null;
  }

  /** Gives a sequence the state back that it had before a step which did not write over it. */
  goBack(sequence: Sequence): boolean {
    const { slot, nextSlot } = sequence;
    if (slot === undefined || nextSlot === undefined || slot === nextSlot) {
      throw new Error(`Request ${sequence.id} has no state to go back to`);
    }
    this.#slots.leave(nextSlot);
    sequence.nextSlot = undefined;
    return true;
  }

  #take(): number | null {
    const slot = this.#slots.tryTake();
    if (slot !== null || this.#cache.evictableBlocks < this.slotBlocks) return slot;
    this.#cache.evict(this.slotBlocks);
    return this.#slots.tryTake();
  }

  /** What a step has computed of a sequence is its state now. Keeps it where that is worth it. */
  advance(sequence: Sequence): void {
    const { slot, nextSlot, sharesPrefix, first, borders } = sequence;
    if (slot !== undefined && slot !== nextSlot) this.#slots.leave(slot);
    sequence.slot = nextSlot;
    sequence.nextSlot = undefined;
    if (!sharesPrefix || this.#cache.isOff) return;
    const isLasting = borders.includes(first);
    if (isLasting || isWorthKeeping(sequence, this.#blockTokens, this.#policy)) {
      this.#keep(sequence, isLasting);
    }
  }

  #keep(sequence: Sequence, isLasting: boolean): void {
    const { tenant, tokens, first, tables, passingTokens } = sequence;
    const own = sequence.slot!;
    const known = tokens.slice(0, first);
    this.#cache.insert(tenant, known, tables);
    const slot = this.#cache.keepSnapshot(tenant, known, own);
    if (slot === undefined) return;
    if (slot === own) this.#kept++;
    else {
      this.#slots.use(slot);
      this.#slots.leave(own);
      sequence.slot = slot;
    }
    if (passingTokens > 0) this.#cache.dropSnapshot(tenant, tokens.slice(0, passingTokens));
    sequence.keptTokens = first;
    sequence.passingTokens = isLasting || slot !== own ? 0 : first;
  }

  /**
   * A step has come to nothing. False where a sequence has lost its state with that: it was writing over what
   * it read, and nobody knows how far that went.
   */
  rewind({ slot, nextSlot }: Sequence): boolean {
    return slot === undefined || slot !== nextSlot;
  }

  /** Takes a sequence's slots back; its snapshots stay. */
  release(sequence: Sequence): void {
    const { slot, nextSlot } = sequence;
    if (slot !== undefined) this.#slots.leave(slot);
    if (nextSlot !== undefined && nextSlot !== slot) this.#slots.leave(nextSlot);
    sequence.slot = sequence.nextSlot = undefined;
    sequence.keptTokens = sequence.passingTokens = sequence.lostTokens = 0;
    sequence.borders = [];
    sequence.alignTokens = 1;
  }
}
