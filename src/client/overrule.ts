/** Requests that are taken although they would be refused, for measuring. @module */

import type { OverruleOptions } from "../protocol/options/load.ts";

/** Draws the requests. */
export class Overrule {
  readonly #share: number;
  #state: number;

  constructor({ share, seed = 0 }: OverruleOptions) {
    this.#share = share;
    this.#state = seed >>> 0;
  }

  /** Whether the next request is one. Mulberry32. */
  draw(): boolean {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32 < this.#share;
  }
}
