/** After this much work old measurements count for 1/e. */
const MEMORY_MS = 30_000;

/** How fast requests leave a queue, measured while there is work. */
export class DrainRate {
  #busyMs = 0;
  #requests = 0;
  #tokens = 0;

  /** Notes what `elapsedMs` of work brought to an end. */
  add(elapsedMs: number, requests: number, tokens: number): void {
    if (!(elapsedMs > 0)) return;
    const keep = Math.exp(-elapsedMs / MEMORY_MS);
    this.#busyMs = this.#busyMs * keep + elapsedMs;
    this.#requests = this.#requests * keep + requests;
    this.#tokens = this.#tokens * keep + tokens;
  }

  /** Ms until so many requests have ended, or undefined while nothing has been measured. */
  msForRequests(requests: number): number | undefined {
    return this.#requests > 0 ? requests * this.#busyMs / this.#requests : undefined;
  }

  /** Ms until requests with so many tokens have ended, or undefined while nothing has been measured. */
  msForTokens(tokens: number): number | undefined {
    return this.#tokens > 0 ? tokens * this.#busyMs / this.#tokens : undefined;
  }
}
