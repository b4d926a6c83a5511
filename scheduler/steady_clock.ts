/**
 * A gap longer than this between two calls with work at hand is a clock that was set, not time that passed.
 */
const GAP_MS_MAX = 60_000;

/**
 * Time that only goes forward, made from a clock that may be set: what a jump adds is cut, what it takes away
 * is ignored, and time goes on from there.
 */
export class SteadyClock {
  #last: number | null = null;
  #now = 0;

  /** Ms since the first reading. */
  get now(): number {
    return this.#now;
  }

  /** Takes a reading of the caller's clock in ms and returns the steady time. */
  advance(reading: number): number {
    if (!Number.isFinite(reading)) return this.#now;
    if (this.#last !== null) this.#now += Math.min(Math.max(reading - this.#last, 0), GAP_MS_MAX);
    this.#last = reading;
    return this.#now;
  }
}
