import { StepCost, type StepLoad, type StepTimes } from "./step_cost.ts";

export { attendedKv, type StepLoad } from "./step_cost.ts";

/** Weight of a measurement against the next one: about the last 200 steps count. */
const FORGETTING = 0.995;
/** The least measurements before predictions are worth anything. */
const SAMPLES_MIN = 8;
/** No step is shorter; dividing by less would drown everything else. */
const MEASURABLE_MS = 1e-3;
/** Measurements farther off than this many typical errors are pulled in. */
const OUTLIER_ERRORS = 4;
/** So many far ones in a row are no outliers: the machine has changed. */
const OUTLIERS_MAX = 6;
/** Weight that older measurements keep then. */
const UNLEARNING = 0.001;
const ERROR_MEMORY = 0.95;
/** What {@linkcode StepTimeModel.overrun} starts with and may become. */
const OVERRUN_FIRST = 1.1, OVERRUN_MAX = 2;
/** How fast it follows. */
const OVERRUN_STEP = 0.05;
/** One step in so many may take longer. */
const OVERRUN_ODDS = 100;
/** {@linkcode StepTimeModel.stretch} is no more than this, nor less than one over it. */
const STRETCH_MAX = 3;
/** A step counts for it as no longer than so many times what was predicted: a machine may have slept. */
const STRETCH_STEP_MAX = 20;
/** Weight of a coefficient's last value beside all measurements. */
const PRIOR_WEIGHT = 1e-7;
/** Makes tokens and KV entries about as large as 1. */
const SCALE = [1, 1 / 64, 1 / 65_536] as const;

/**
 * Predicts how long a step takes: a + b·tokens + c·kv, in ms, fitted while the engine runs by least squares
 * with forgetting. Errors count relative to the step's time, so that short steps are predicted as well as
 * long ones. No coefficient goes below 0: more work never takes less time. The recursive form of the sums and
 * not of the inverse is kept: three unknowns are solved for in no time, and steps that are all alike cannot
 * make it lose its footing. Ljung 1999, System Identification, 11.2.
 */
export class StepTimeModel implements StepTimes {
  /** a, b, c in scaled units. */
  #theta = [0, 0, 0];
  /** The same in ms: asked for many times a step. */
  #cost = new StepCost([0, 0, 0]);
  /** Sums over the measurements: x·xᵀ, and x times the target. */
  readonly #information = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  readonly #moments = [0, 0, 0];
  #samples = 0;
  #outliers = 0;
  /** Typical relative error, as a moving average of absolute values. */
  #error = 0.5;
  #overrun = OVERRUN_FIRST;
  /** Ms that steps took, and that were predicted for them. */
  #elapsedMs = 0;
  #predictedMs = 0;

  /** Whether enough steps were measured. */
  get isReady(): boolean {
    return this.#samples >= SAMPLES_MIN;
  }

  /** Typical error of a prediction as a share of the step's time. */
  get relativeError(): number {
    return this.#error;
  }

  /**
   * By how much a step may take longer than predicted: 99 of a hundred took less than this many times as
   * long.
   */
  get overrun(): number {
    return this.#overrun;
  }

  /**
   * By how many times longer many steps together take than is predicted for them. The fit is to relative
   * errors and pulls outliers in: it says what a step usually takes, as planning needs it, and that is less
   * than the mean where some take much longer.
   */
  get stretch(): number {
    if (this.#predictedMs === 0) return 1;
    return Math.min(Math.max(this.#elapsedMs / this.#predictedMs, 1 / STRETCH_MAX), STRETCH_MAX);
  }

  /** a in ms, b in ms per token, c in ms per KV entry. */
  get coefficients(): readonly [number, number, number] {
    return this.#cost.coefficients;
  }

  predict(load: StepLoad): number {
    return this.#cost.predict(load);
  }

  tokensWithin(limitMs: number, load: StepLoad, first: number): number {
    return this.#cost.tokensWithin(limitMs, load, first);
  }

  /** Learns from a step that took `elapsedMs`. Measurements that cannot be are ignored. */
  observe(load: StepLoad, elapsedMs: number): void {
    if (!(elapsedMs >= MEASURABLE_MS) || !Number.isFinite(elapsedMs) || !(load.tokens > 0)) return;
    const x = [1, load.tokens, load.kv].map((value, i) => value * SCALE[i] / elapsedMs);
    const raw = 1 - dot(x, this.#theta);
    if (this.isReady) {
      const predictedMs = this.predict(load);
      this.#followOverrun(elapsedMs / predictedMs);
      this.#elapsedMs = FORGETTING * this.#elapsedMs + Math.min(elapsedMs, STRETCH_STEP_MAX * predictedMs);
      this.#predictedMs = FORGETTING * this.#predictedMs + predictedMs;
    }
    const error = this.isReady ? this.#tame(raw) : raw;
    this.#update(x, error);
    this.#samples++;
    this.#error = ERROR_MEMORY * this.#error + (1 - ERROR_MEMORY) * Math.min(Math.abs(error), 1);
  }

  /** A quantile by steps that are as much rarer upwards as they are longer: Robbins and Monro 1951. */
  #followOverrun(ratio: number): void {
    const change = ratio > this.#overrun
      ? OVERRUN_STEP * (OVERRUN_ODDS - 1) / OVERRUN_ODDS
      : -OVERRUN_STEP / OVERRUN_ODDS;
    this.#overrun = Math.min(Math.max(this.#overrun + change, 1), OVERRUN_MAX);
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
    // What was predicted before says nothing of how well the new machine is.
    this.#elapsedMs = this.#predictedMs = 0;
    for (let i = 0; i < 3; i++) {
      this.#moments[i] *= UNLEARNING;
      for (let j = 0; j < 3; j++) this.#information[i][j] *= UNLEARNING;
    }
    return error;
  }

  /**
   * Adds a measurement whose target is what was predicted plus `error`, and solves for the coefficients
   * again.
   */
  #update(x: readonly number[], error: number): void {
    const target = dot(x, this.#theta) + error;
    for (let i = 0; i < 3; i++) {
      this.#moments[i] = FORGETTING * this.#moments[i] + x[i] * target;
      for (let j = 0; j < 3; j++) {
        this.#information[i][j] = FORGETTING * this.#information[i][j] + x[i] * x[j];
      }
    }
    const isFree = [true, true, true];
    let theta = this.#solve(isFree);
    while (Math.min(...theta) < 0) {
      isFree[theta.indexOf(Math.min(...theta))] = false;
      theta = this.#solve(isFree);
    }
    this.#theta = theta;
    this.#cost = new StepCost([theta[0] * SCALE[0], theta[1] * SCALE[1], theta[2] * SCALE[2]]);
  }

  /**
   * Least squares for the free coefficients; the others are 0. What the measurements do not tell, because
   * they do not vary, stays as it was: a small weight pulls every coefficient to its last value.
   */
  #solve(isFree: readonly boolean[]): number[] {
    const rows = this.#information.map((row, i) => {
      const prior = PRIOR_WEIGHT * row[i] + Number.MIN_VALUE;
      const left = row.map((value, j) =>
        isFree[i] && isFree[j] ? value + (i === j ? prior : 0) : Number(i === j)
      );
      return [...left, isFree[i] ? this.#moments[i] + prior * this.#theta[i] : 0];
    });
    for (let i = 0; i < 3; i++) {
      // Symmetric and positive definite: the pivot on the diagonal will do.
      for (let j = 0; j < 3; j++) {
        const factor = j === i || rows[i][i] === 0 ? 0 : rows[j][i] / rows[i][i];
        if (factor === 0) continue;
        for (let k = 0; k < 4; k++) rows[j][k] -= factor * rows[i][k];
      }
    }
    return rows.map((row, i) => row[i] > 0 ? row[3] / row[i] : this.#theta[i]);
  }
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
