/** How much there was in the last minute, or day. Pure: it has no clock. @module */

/** What a window has, by numbers of its slots. */
export type KeptSlots = readonly (readonly [slot: number, amount: number])[];

/** Parts of a window in which what is counted is forgotten together. */
const SLOTS = 60;

/**
 * Adds up what there was within a time that ends now. What is counted is forgotten a sixtieth of the window late at most, and never
 * early, so that a limit that is held against it holds in every stretch of that length. Takes the same memory however much is
 * counted. Times in ms, from any zero.
 */
export class SlidingWindow {
  readonly #slotMs: number;
  /** The slot that is filled and all that lie within the window before it. */
  readonly #slots = new Float64Array(SLOTS + 1);
  /** Number of the slot that is filled. */
  #current = 0;
  #sum = 0;

  constructor(windowMs: number) {
    this.#slotMs = windowMs / SLOTS;
  }

  /** Counts so much now. */
  add(amount: number, now: number): void {
    this.#slideTo(now);
    this.#slots[this.#current % this.#slots.length] += amount;
    this.#sum += amount;
  }

  /** All within the window. */
  used(now: number): number {
    this.#slideTo(now);
    return this.#sum;
  }

  /** Until no more than `most` are left if nothing is added, in ms; 0: there are no more. */
  untilAtMost(most: number, now: number): number {
    let left = this.used(now);
    const { length } = this.#slots;
    for (let age = length - 1; left > most && age >= 0; age--) {
      const slot = this.#current - age;
      // Of a window that is younger than its length there are no slots before the first.
      left -= slot < 0 ? 0 : this.#slots[slot % length];
      if (left <= most) return (slot + length) * this.#slotMs - now;
    }
    return 0;
  }

  /** What it has, for another one of the same length and the same zero. */
  kept(now: number): KeptSlots {
    this.#slideTo(now);
    const { length } = this.#slots;
    return Array.from(this.#slots, (_, i) => this.#current - length + 1 + i)
      .filter((slot) => slot >= 0 && this.#slots[slot % length] > 0)
      .map((slot) => [slot, this.#slots[slot % length]]);
  }

  /** Counts what another one had, in its order. */
  restore(kept: KeptSlots): void {
    for (const [slot, amount] of kept) this.add(amount, slot * this.#slotMs);
  }

  #slideTo(now: number): void {
    const slot = Math.floor(now / this.#slotMs);
    const { length } = this.#slots;
    for (let steps = Math.min(slot - this.#current, length); steps > 0; steps--) {
      const next = (slot - steps + 1) % length;
      this.#sum -= this.#slots[next];
      this.#slots[next] = 0;
    }
    // A clock that goes back forgets nothing.
    this.#current = Math.max(this.#current, slot);
  }
}
