import type { RestartPolicy } from "./restart_policy.ts";

/** How fast a process that ends again and again is started again. */
export interface BackOffLimits {
  /** The wait after the second short life in a row; it doubles with each further one. Default 250 ms. */
  readonly firstMs?: number;
  /** Default 30 s. */
  readonly mostMs?: number;
  /** A life is short that ends so soon after the model was loaded, or before. Default 5 s. */
  readonly shortLifeMs?: number;
}

/**
 * Starts again for ever, and more and more slowly while lives are short: memory may come back, a file may be
 * repaired, and a request that ends processes is found within two of them.
 */
export class BackOff implements RestartPolicy {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #shortLifeMs: number;
  #readyAtMs = -Infinity;
  #isReady = true;
  /** In a row. */
  #shortLives = 0;

  constructor({ firstMs = 250, mostMs = 30_000, shortLifeMs = 5000 }: BackOffLimits = {}) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#shortLifeMs = shortLifeMs;
  }

  noteReady(nowMs: number): void {
    this.#readyAtMs = nowMs;
    this.#isReady = true;
  }

  noteStep(): void {}

  next(nowMs: number): number {
    const isShort = !this.#isReady || nowMs - this.#readyAtMs < this.#shortLifeMs;
    this.#isReady = false;
    this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    if (this.#shortLives < 2) return 0;
    return Math.min(this.#mostMs, this.#firstMs * 2 ** (this.#shortLives - 2));
  }
}
