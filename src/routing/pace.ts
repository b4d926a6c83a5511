/** When first tokens are to be expected of a place, by those that have come. @module */

/** Weight of what was seen before, at each new observation. */
const KEEP = 0.9;
/** What was seen loses half of its weight in this time: nobody looks at a place that seems slow. */
const HALF_LIFE_MS = 60_000;
/** Fewer observations than this, weighted, say nothing. */
const LEAST = 0.5;

/**
 * Time to first token by the length of the prompt: `a + b · tokens`, fitted to what was seen, the newest with the most
 * weight. An estimate that nothing confirms fades, so that a place which was slow once is tried again. `now`: ms.
 */
export class Pace {
  #weight = 0;
  #tokens = 0;
  #ms = 0;
  #squares = 0;
  #products = 0;
  #at = -Infinity;

  /** A first token came `ttftMs` after its request, whose prompt has about `tokens` tokens. */
  note(tokens: number, ttftMs: number, now: number): void {
    for (const keep of [KEEP, this.#freshness(now)]) {
      this.#weight *= keep;
      this.#tokens *= keep;
      this.#ms *= keep;
      this.#squares *= keep;
      this.#products *= keep;
    }
    this.#weight += 1;
    this.#tokens += tokens;
    this.#ms += ttftMs;
    this.#squares += tokens * tokens;
    this.#products += tokens * ttftMs;
    this.#at = now;
  }

  /** When a first token is to be expected, in ms; undefined where too little is known, or too long ago. */
  expect(tokens: number, now: number): number | undefined {
    const fresh = this.#freshness(now);
    if (this.#weight * fresh < LEAST) return undefined;
    const mean = this.#ms / this.#weight, meanTokens = this.#tokens / this.#weight;
    const spread = this.#squares / this.#weight - meanTokens * meanTokens;
    const slope = spread < 1 ? 0 : (this.#products / this.#weight - mean * meanTokens) / spread;
    // A longer prompt takes no shorter, and none takes less than nothing.
    const perToken = Math.min(Math.max(slope, 0), meanTokens > 0 ? mean / meanTokens : 0);
    return Math.max(0, mean + perToken * (tokens - meanTokens)) * fresh;
  }

  #freshness(now: number): number {
    return this.#at === -Infinity ? 0 : 0.5 ** (Math.max(0, now - this.#at) / HALF_LIFE_MS);
  }
}
