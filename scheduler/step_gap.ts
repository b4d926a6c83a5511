/** Weight of a measurement against the next one: about the last 100 gaps count. */
const FORGETTING = 0.99;
/** A longer gap is no more than this: the machine may have slept. */
const GAP_MS_MAX = 1000;
/**
 * Counts are taken as alike that vary by less than this share of their mean, squared, or by less than one.
 */
const ALIKE_SHARE = 0.05;

/**
 * What passes between two steps while there is work: messages, what was chosen on its way to text, planning.
 * A part of it grows with the sequences of the step before: gap = a + b·sequences, by least squares with
 * forgetting. Every gap counts, however long it is, because what waits has to wait for all of them.
 */
export class StepGap {
  #endedAt: number | null = null;
  #sequences = 0;
  /** Sums over gaps: 1, sequences, their square, ms, ms times sequences. */
  #n = 0;
  #x = 0;
  #xx = 0;
  #y = 0;
  #xy = 0;

  /** a in ms, b in ms per sequence of a step; neither is below 0. */
  get coefficients(): readonly [number, number] {
    if (this.#n === 0) return [0, 0];
    const x = this.#x / this.#n, y = this.#y / this.#n;
    const variance = this.#xx / this.#n - x * x, covariance = this.#xy / this.#n - x * y;
    // Where steps are alike nothing tells the two apart, and chance must not.
    const b = Math.max(0, covariance / (variance + 1 + ALIKE_SHARE * x * x));
    const a = y - b * x;
    return a >= 0 ? [a, b] : [0, this.#xy / this.#xx];
  }

  /** A step of so many sequences that began at `startedAt` took `elapsedMs`, and there is more work. */
  end(startedAt: number, elapsedMs: number, sequences: number): void {
    this.#endedAt = startedAt + elapsedMs;
    this.#sequences = sequences;
  }

  /** The next one begins. */
  begin(now: number): void {
    if (this.#endedAt === null) return;
    const ms = Math.min(Math.max(0, now - this.#endedAt), GAP_MS_MAX), x = this.#sequences;
    this.#endedAt = null;
    this.#n = FORGETTING * this.#n + 1;
    this.#x = FORGETTING * this.#x + x;
    this.#xx = FORGETTING * this.#xx + x * x;
    this.#y = FORGETTING * this.#y + ms;
    this.#xy = FORGETTING * this.#xy + x * ms;
  }

  /** There was nothing to do in between. */
  rest(): void {
    this.#endedAt = null;
  }
}
