/** Weight of one measurement in the time of a token. */
const NEWEST = 0.2;

/** How long a guess takes, by what guesses took so far. */
export class GuessTime {
  #msPerToken = 0;

  /** Ms that a guessed token takes; 0 before any was measured. */
  get msPerToken(): number {
    return this.#msPerToken;
  }

  /** So many tokens took `ms`. */
  note(ms: number, tokens: number): void {
    const each = ms / tokens;
    this.#msPerToken += (this.#msPerToken === 0 ? 1 : NEWEST) * (each - this.#msPerToken);
  }
}
