/** How often a worker may be replaced before something is wrong that a new worker does not cure. */
export interface RestartLimits {
  /** Most restarts within the window. Default 5. */
  readonly restartsMax?: number;
  /** Default one minute. */
  readonly windowMs?: number;
}

/** Counts the restarts of one place since its worker last completed a step. */
export class RestartBudget {
  readonly #restartsMax: number;
  readonly #windowMs: number;
  #times: number[] = [];

  constructor({ restartsMax = 5, windowMs = 60_000 }: RestartLimits = {}) {
    this.#restartsMax = restartsMax;
    this.#windowMs = windowMs;
  }

  /** Notes a restart; false when it is one too many. */
  take(nowMs: number): boolean {
    this.#times = this.#times.filter((time) => nowMs - time < this.#windowMs);
    this.#times.push(nowMs);
    return this.#times.length <= this.#restartsMax;
  }

  /** A worker completed a step: it was worth starting it. */
  reset(): void {
    this.#times = [];
  }
}
