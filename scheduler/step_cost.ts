/** What a step computes, as far as its time depends on it. */
export interface StepLoad {
  /** Tokens that the step computes. */
  readonly tokens: number;
  /** KV entries that they attend to: the sum over these tokens of the length of their context. */
  readonly kv: number;
}

/** KV entries that `count` tokens of a sequence attend to when `first` tokens are before them. */
export function attendedKv(first: number, count: number): number {
  return count * first + count * (count + 1) / 2;
}

/** What is known of the time that steps take. */
export interface StepTimes {
  /** Whether enough steps were measured. */
  readonly isReady: boolean;
  /** a in ms, b in ms per token, c in ms per KV entry. */
  readonly coefficients: readonly [number, number, number];
  /**
   * By how much a step may take longer than predicted: 99 of a hundred took less than this many times as
   * long.
   */
  readonly overrun: number;
  /** Ms that a step will take. */
  predict(load: StepLoad): number;
  /**
   * Most tokens of one sequence, after `first` others, that can be added to a step without it taking longer
   * than `limitMs`.
   */
  tokensWithin(limitMs: number, load: StepLoad, first: number): number;
}

/** Step times that are as they are: a + b·tokens + c·kv. */
export class StepCost implements StepTimes {
  readonly isReady = true;
  readonly coefficients: readonly [number, number, number];
  readonly overrun: number;

  constructor(coefficients: readonly [number, number, number], overrun = 1) {
    this.coefficients = coefficients;
    this.overrun = overrun;
  }

  predict({ tokens, kv }: StepLoad): number {
    const [a, b, c] = this.coefficients;
    return a + b * tokens + c * kv;
  }

  tokensWithin(limitMs: number, load: StepLoad, first: number): number {
    const [, b, c] = this.coefficients;
    const left = limitMs - this.predict(load);
    if (left <= 0) return 0;
    // b·n + c·(n·first + n·(n + 1)/2) = left
    const linear = b + c * (first + 0.5);
    if (c <= 0) return linear > 0 ? Math.floor(left / linear) : Infinity;
    return Math.floor(2 * left / (linear + Math.sqrt(linear * linear + 2 * c * left)));
  }
}
