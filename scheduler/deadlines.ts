import type { Sequence } from "./sequence.ts";

/** The requests that end at a time, done or not. */
export class Deadlines {
  readonly #sequences = new Set<Sequence>();

  /** Those without a deadline are none of its business. */
  add(sequence: Sequence): void {
    if (sequence.deadlineAt < Infinity) this.#sequences.add(sequence);
  }

  remove(sequence: Sequence): void {
    this.#sequences.delete(sequence);
  }

  /** Those whose deadline has passed, in the order in which they came. */
  passed(now: number): Sequence[] {
    return [...this.#sequences].filter((sequence) => sequence.deadlineAt <= now);
  }

  /** Ms to wait for `waitMs`, or for a deadline that comes before that; undefined: for neither. */
  wakeIn(now: number, waitMs: number | undefined): number | undefined {
    let wait = waitMs ?? Infinity;
    for (const sequence of this.#sequences) wait = Math.min(wait, sequence.deadlineAt - now);
    return wait === Infinity ? undefined : wait;
  }
}
