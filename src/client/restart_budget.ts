import type { RestartPolicy } from "./restart_policy.ts";

/** How often a worker may be replaced before something is wrong that a new worker does not cure. */
export interface RestartLimits {
  /** Most restarts within the window. Default 5. */
  readonly restartsMax?: number;
  /** Default one minute. */
  readonly windowMs?: number;
}

/** Counts the restarts of one place since its worker last completed a step: no more than so many, each at once. */
export class RestartBudget implements RestartPolicy {
  readonly #restartsMax: number;
  readonly #windowMs: number;
  #times: number[] = [];

  constructor({ restartsMax = 5, windowMs = 60_000 }: RestartLimits = {}) {
    this.#restartsMax = restartsMax;
    this.#windowMs = windowMs;
  }

  noteReady(): void {}

  /** It was worth starting it. */
  noteStep(): void {
    this.#times = [];
  }

  next(nowMs: number): number | null {
    this.#times = this.#times.filter((time) => nowMs - time < this.#windowMs);
    this.#times.push(nowMs);
    return this.#times.length <= this.#restartsMax ? 0 : null;
  }
}
