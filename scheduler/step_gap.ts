/** Weight of one measurement. */
const SHARE = 1 / 32;
/** Longer gaps, in times of the step before, are no gaps between two steps of the same work. */
const GAP_STEPS_MAX = 4;
/** … but for so many ms. */
const GAP_MS_MIN = 2;

/** What passes between two steps while there is work: messages, what was chosen on its way to text, planning. */
export class StepGap {
  #ms = 0;
  #endedAt: number | null = null;
  #stepMs = 0;

  /** Ms, as a moving average. */
  get ms(): number {
    return this.#ms;
  }

  /** A step that began at `startedAt` took `elapsedMs`, and there is more work. */
  end(startedAt: number, elapsedMs: number): void {
    this.#endedAt = startedAt + elapsedMs;
    this.#stepMs = elapsedMs;
  }

  /** The next one begins. */
  begin(now: number): void {
    if (this.#endedAt === null) return;
    const gap = Math.max(0, now - this.#endedAt);
    if (gap <= Math.max(GAP_STEPS_MAX * this.#stepMs, GAP_MS_MIN)) this.#ms += SHARE * (gap - this.#ms);
    this.#endedAt = null;
  }

  /** There was nothing to do in between. */
  rest(): void {
    this.#endedAt = null;
  }
}
