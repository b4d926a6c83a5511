/** Weight of a measurement against the next one: about the last thousand steps count. */
const FORGETTING = 0.999;
/** The least measurements before a fit says anything. */
const SAMPLES_MIN = 32;
/** Measurements farther off than this many typical errors are pulled in: something else had the machine. */
const OUTLIER_ERRORS = 4;
const ERROR_MIN = 0.02;
const ERROR_MEMORY = 0.99;
/** What measurements that do not vary do not tell is taken to be small. */
const RIDGE = 1e-5;
/** Makes what is counted about as large as 1. */
const SCALE = [1, 1 / 64, 1 / 16_384, 1 / 8] as const;
const COUNT = SCALE.length;
/** Solving takes as long as some ten additions. */
const SOLVE_EVERY = 32;

/** What a step computes, as far as its time depends on it. */
export interface FittedLoad {
  readonly tokens: number;
  /** Entries of the KV cache that they attend to. */
  readonly kv: number;
  /** Tokens that are chosen at its end: each is a row of logits, as wide as the vocabulary. */
  readonly rows: number;
}

/** ms = fixedMs + msPerToken · tokens + msPerKvEntry · kv + msPerRow · rows. */
export interface FittedStep {
  readonly fixedMs: number;
  readonly msPerToken: number;
  readonly msPerKvEntry: number;
  readonly msPerRow: number;
  /** Typical error for one step, as a share. */
  readonly relativeError: number;
}

/**
 * The time of steps for those who plan with it: as the scheduler's own model, which has to follow a machine from
 * one moment to the next, but over more steps, and with the choice of tokens apart from their computing.
 * Least squares of relative errors; no coefficient below 0.
 */
export class StepFit {
  readonly #information = Array.from({ length: COUNT }, () => new Float64Array(COUNT));
  readonly #moments = new Float64Array(COUNT);
  readonly #x = new Float64Array(COUNT);
  #theta = new Float64Array(COUNT);
  #samples = 0;
  #error = 0.2;

  /** Null before enough steps were measured. */
  get result(): FittedStep | null {
    if (this.#samples < SAMPLES_MIN) return null;
    const [fixedMs, msPerToken, msPerKvEntry, msPerRow] = this.#theta.map((value, i) => value * SCALE[i]);
    return { fixedMs, msPerToken, msPerKvEntry, msPerRow, relativeError: this.#error };
  }

  /** Learns from a step. Adds up each time, and solves now and then: steps may be short. */
  observe({ tokens, kv, rows }: FittedLoad, elapsedMs: number): void {
    if (!(elapsedMs > 1e-3) || !Number.isFinite(elapsedMs) || !(tokens > 0)) return;
    const x = this.#x, theta = this.#theta;
    x[0] = 1 / elapsedMs;
    x[1] = tokens * SCALE[1] / elapsedMs;
    x[2] = kv * SCALE[2] / elapsedMs;
    x[3] = rows * SCALE[3] / elapsedMs;
    const predicted = x[0] * theta[0] + x[1] * theta[1] + x[2] * theta[2] + x[3] * theta[3];
    let error = 1 - predicted;
    if (this.#samples >= SAMPLES_MIN) {
      const limit = OUTLIER_ERRORS * Math.max(this.#error, ERROR_MIN);
      error = Math.min(Math.max(error, -limit), limit);
      this.#error = ERROR_MEMORY * this.#error + (1 - ERROR_MEMORY) * Math.min(Math.abs(error), 1);
    }
    const target = predicted + error;
    for (let i = 0; i < COUNT; i++) {
      const row = this.#information[i];
      this.#moments[i] = FORGETTING * this.#moments[i] + x[i] * target;
      for (let j = 0; j < COUNT; j++) row[j] = FORGETTING * row[j] + x[i] * x[j];
    }
    this.#samples++;
    if (this.#samples <= SAMPLES_MIN || this.#samples % SOLVE_EVERY === 0) this.#solve();
  }

  /** Leaves out, one after another, what would come out below 0. */
  #solve(): void {
    const free = new Set(SCALE.keys());
    for (;;) {
      const theta = this.#solveFor([...free]);
      const worst = theta.reduce((least, value, i) => value < theta[least] ? i : least, 0);
      this.#theta = theta;
      if (theta[worst] >= 0) return;
      free.delete(worst);
    }
  }

  #solveFor(free: readonly number[]): Float64Array<ArrayBuffer> {
    const rows = free.map((i) => {
      const ridge = RIDGE * this.#information[i][i] + Number.MIN_VALUE;
      return [...free.map((j) => this.#information[i][j] + (i === j ? ridge : 0)), this.#moments[i]];
    });
    const n = free.length;
    for (let i = 0; i < n; i++) {
      // Symmetric and positive definite: the pivot on the diagonal will do.
      for (let j = 0; j < n; j++) {
        if (j === i || rows[i][i] === 0) continue;
        const factor = rows[j][i] / rows[i][i];
        for (let k = i; k <= n; k++) rows[j][k] -= factor * rows[i][k];
      }
    }
    const theta = new Float64Array(COUNT);
    free.forEach((place, i) => theta[place] = rows[i][i] > 0 ? rows[i][n] / rows[i][i] : 0);
    return theta;
  }
}
