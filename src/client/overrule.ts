/**
 * For measuring how good refusals are: a share of all requests, drawn at random, is taken even where it would be refused. Each
 * completion of such a request tells why it would have been, so that its time to the first token can be judged.
 */
export interface OverruleOptions {
  /** From 0 to 1. */
  readonly share: number;
  /** Of the draw; default 0. */
  readonly seed?: number;
}

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
