import { TOKEN_BENDS, type TokenBend } from "../protocol/token_time.ts";

/** Weight of a measurement against the next one: about the last thousand steps count. */
const FORGETTING = 0.999;
/** The least measurements before a fit says anything. */
const SAMPLES_MIN = 32;
/** Measurements farther off than this many typical errors are pulled in: something else had the machine. */
const OUTLIER_ERRORS = 4;
const ERROR_MIN = 0.02;
const ERROR_MEMORY = 0.99;
/** A stretch is no more than this, nor less than one over it; and a step counts for it as no longer than so many times what was predicted. */
const STRETCH_MAX = 3, STRETCH_STEP_MAX = 20;
/** What measurements that do not vary do not tell is taken to be small. */
const RIDGE = 1e-5;
/** How much the times of a token before and after a bend are held together: as one where few steps tell them apart. */
const STIFFNESS = 1e-3;
/** Makes what is counted about as large as 1; all tokens are counted alike. */
const TOKEN_SCALE = 1 / 16, KV_SCALE = 1 / 16_384, ROW_SCALE = 1 / 8;
/** Places of what is fitted: the fixed time, tokens up to each bend, those beyond, KV entries, rows. */
const SEGMENTS = TOKEN_BENDS.length + 1, FIRST = 1, LAST = FIRST + SEGMENTS - 1, KV = LAST + 1, ROWS = KV + 1;
const COUNT = ROWS + 1;
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

/** ms = fixedMs + what its tokens take + msPerKvEntry · kv + msPerRow · rows. */
export interface FittedStep {
  readonly fixedMs: number;
  /** Of a token beyond the last of the bends. */
  readonly msPerToken: number;
  readonly bends: readonly TokenBend[];
  readonly msPerKvEntry: number;
  readonly msPerRow: number;
  /** Typical error for one step, as a share. */
  readonly relativeError: number;
  /** So many times as long do many steps together take: some few take much longer. */
  readonly stretch: number;
}

/**
 * The time of steps for those who plan with it: as the scheduler's own model, which has to follow a machine from
 * one moment to the next, but over more steps, and with the choice of tokens apart from their computing.
 * A step's time is no straight line of its tokens: the second one hardly takes anything while the first waits for
 * the memory. So it is one of a few stretches. Least squares of relative errors; no coefficient below 0.
 */
export class StepFit {
  readonly #information = Array.from({ length: COUNT }, () => new Float64Array(COUNT));
  readonly #moments = new Float64Array(COUNT);
  readonly #x = new Float64Array(COUNT);
  #theta = new Float64Array(COUNT);
  #samples = 0;
  #error = 0.2;
  /** Ms that steps took, and that the fit said of them before. */
  #elapsedMs = 0;
  #predictedMs = 0;

  /** Null before enough steps were measured. */
  get result(): FittedStep | null {
    if (this.#samples < SAMPLES_MIN) return null;
    const theta = this.#theta;
    return {
      fixedMs: theta[0],
      msPerToken: theta[LAST] * TOKEN_SCALE,
      bends: TOKEN_BENDS.map((upTo, i) => ({ upTo, msPerToken: theta[FIRST + i] * TOKEN_SCALE })),
      msPerKvEntry: theta[KV] * KV_SCALE,
      msPerRow: theta[ROWS] * ROW_SCALE,
      relativeError: this.#error,
      stretch: this.#stretch,
    };
  }

  get #stretch(): number {
    if (this.#predictedMs === 0) return 1;
    return Math.min(Math.max(this.#elapsedMs / this.#predictedMs, 1 / STRETCH_MAX), STRETCH_MAX);
  }

  /** Learns from a step. Adds up each time, and solves now and then: steps may be short. */
  observe({ tokens, kv, rows }: FittedLoad, elapsedMs: number): void {
    if (!(elapsedMs > 1e-3) || !Number.isFinite(elapsedMs) || !(tokens > 0)) return;
    const x = this.#x, theta = this.#theta;
    x[0] = 1 / elapsedMs;
    for (let i = 0, from = 0; i < SEGMENTS; i++) {
      const to = TOKEN_BENDS[i] ?? Infinity;
      x[FIRST + i] = Math.max(0, Math.min(tokens, to) - from) * TOKEN_SCALE / elapsedMs;
      from = to;
    }
    x[KV] = kv * KV_SCALE / elapsedMs;
    x[ROWS] = rows * ROW_SCALE / elapsedMs;
    const predicted = x.reduce((sum, value, i) => sum + value * theta[i], 0);
    let error = 1 - predicted;
    if (this.#samples >= SAMPLES_MIN) {
      const limit = OUTLIER_ERRORS * Math.max(this.#error, ERROR_MIN);
      error = Math.min(Math.max(error, -limit), limit);
      this.#error = ERROR_MEMORY * this.#error + (1 - ERROR_MEMORY) * Math.min(Math.abs(error), 1);
      const predictedMs = predicted * elapsedMs;
      this.#elapsedMs = FORGETTING * this.#elapsedMs + Math.min(elapsedMs, STRETCH_STEP_MAX * predictedMs);
      this.#predictedMs = FORGETTING * this.#predictedMs + predictedMs;
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
    const free = new Set(this.#x.keys());
    for (;;) {
      const theta = this.#solveFor([...free]);
      const worst = theta.reduce((least, value, i) => value < theta[least] ? i : least, 0);
      this.#theta = theta;
      if (theta[worst] >= 0) return;
      free.delete(worst);
    }
  }

  /** What the squares of the differences between the times of neighbouring stretches add at a place. */
  #stiffness(i: number, j: number): number {
    if (i < FIRST || i > LAST || j < FIRST || j > LAST || Math.abs(i - j) > 1) return 0;
    const between = (left: number) => {
      if (left < FIRST || left >= LAST) return 0;
      return STIFFNESS * Math.max(this.#information[left][left], this.#information[left + 1][left + 1]);
    };
    return i === j ? between(i - 1) + between(i) : -between(Math.min(i, j));
  }

  #solveFor(free: readonly number[]): Float64Array<ArrayBuffer> {
    const rows = free.map((i) => {
      const ridge = RIDGE * this.#information[i][i] + Number.MIN_VALUE;
      return [
        ...free.map((j) => this.#information[i][j] + this.#stiffness(i, j) + (i === j ? ridge : 0)),
        this.#moments[i],
      ];
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
