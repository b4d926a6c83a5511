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

/** Weight of a measurement against the next one: about the last 200 steps count. */
const FORGETTING = 0.995;
/** The least measurements before predictions are worth anything. */
const SAMPLES_MIN = 8;
/** Measurements farther off than this many typical errors are pulled in. */
const OUTLIER_ERRORS = 4;
/** So many far ones in a row are no outliers: the machine has changed. */
const OUTLIERS_MAX = 6;
/** How much less is known of the machine then, as a factor of the variance. */
const UNLEARNING = 1000;
const ERROR_MEMORY = 0.95;
/** Uncertainty of a coefficient at the start, in its own unit: tokens and KV entries are scaled to be about 1. */
const VARIANCE_START = 1e6;
const SCALE = [1, 1 / 64, 1 / 65_536] as const;

/**
 * Predicts how long a step takes: a + b·tokens + c·kv, in ms, fitted while the engine runs by recursive least squares
 * with forgetting. Errors count relative to the step's time, so that short steps are predicted as well as long ones. No
 * coefficient goes below 0: more work never takes less time. Ljung 1999, System Identification, 11.2.
 */
export class StepTimeModel {
  /** a, b, c in scaled units. */
  readonly #theta = [0, 0, 0];
  /** Covariance of the coefficients, up to a factor. */
  #p = identity(VARIANCE_START);
  #samples = 0;
  #outliers = 0;
  /** Typical relative error, as a moving average of absolute values. */
  #error = 0.5;

  /** Whether enough steps were measured. */
  get isReady(): boolean {
    return this.#samples >= SAMPLES_MIN;
  }

  /** Typical error of a prediction as a share of the step's time. */
  get relativeError(): number {
    return this.#error;
  }

  /** a in ms, b in ms per token, c in ms per KV entry. */
  get coefficients(): readonly [number, number, number] {
    const [a, b, c] = this.#theta;
    return [a * SCALE[0], b * SCALE[1], c * SCALE[2]];
  }

  /** Ms that a step will take. */
  predict({ tokens, kv }: StepLoad): number {
    const [a, b, c] = this.coefficients;
    return a + b * tokens + c * kv;
  }

  /** Most tokens of one sequence, after `first` others, that can be added to a step without it taking longer than `limitMs`. */
  tokensWithin(limitMs: number, load: StepLoad, first: number): number {
    const [, b, c] = this.coefficients;
    const left = limitMs - this.predict(load);
    if (left <= 0) return 0;
    // b·n + c·(n·first + n·(n + 1)/2) = left
    const linear = b + c * (first + 0.5);
    if (c <= 0) return linear > 0 ? Math.floor(left / linear) : Infinity;
    return Math.floor(2 * left / (linear + Math.sqrt(linear * linear + 2 * c * left)));
  }

  /** Learns from a step that took `elapsedMs`. Measurements that cannot be are ignored. */
  observe(load: StepLoad, elapsedMs: number): void {
    if (!(elapsedMs > 0) || !Number.isFinite(elapsedMs) || !(load.tokens > 0)) return;
    const x = [1, load.tokens, load.kv].map((value, i) => value * SCALE[i] / elapsedMs);
    const raw = 1 - dot(x, this.#theta);
    const error = this.isReady ? this.#tame(raw) : raw;
    this.#update(x, error);
    this.#samples++;
    this.#error = ERROR_MEMORY * this.#error + (1 - ERROR_MEMORY) * Math.min(Math.abs(error), 1);
  }

  /** Limits how far one measurement can pull. */
  #tame(error: number): number {
    const limit = Math.max(OUTLIER_ERRORS * this.#error, 0.02);
    if (Math.abs(error) <= limit) {
      this.#outliers = 0;
      return error;
    }
    if (++this.#outliers < OUTLIERS_MAX) return Math.sign(error) * limit;
    this.#outliers = 0;
    this.#p = scale(this.#p, UNLEARNING);
    return error;
  }

  #update(x: readonly number[], error: number): void {
    const px = this.#p.map((row) => dot(row, x));
    const denominator = FORGETTING + dot(x, px);
    for (let i = 0; i < 3; i++) this.#theta[i] = Math.max(0, this.#theta[i] + px[i] / denominator * error);
    const next = this.#p.map((row, i) =>
      row.map((value, j) => (value - px[i] * px[j] / denominator) / FORGETTING)
    );
    // What the steps never vary would be forgotten without end.
    this.#p = trace(next) < 3 * VARIANCE_START ? symmetric(next) : symmetric(scale(next, FORGETTING));
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function identity(value: number): number[][] {
  return [[value, 0, 0], [0, value, 0], [0, 0, value]];
}

function trace(m: readonly number[][]): number {
  return m[0][0] + m[1][1] + m[2][2];
}

function scale(m: readonly number[][], factor: number): number[][] {
  return m.map((row) => row.map((value) => value * factor));
}

/** Rounding errors must not make the covariance lopsided. */
function symmetric(m: readonly number[][]): number[][] {
  return m.map((row, i) => row.map((value, j) => i === j ? Math.max(value, 0) : (value + m[j][i]) / 2));
}
