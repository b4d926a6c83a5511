/** What an answer took. @module */

/** Times as this page saw them. */
export interface Figures {
  /** From the request to its first token, in ms. */
  readonly ttftMs?: number;
  /** Tokens a second after the first. */
  readonly tokensPerSecond?: number;
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  readonly completionTokens?: number;
  /** Changes with whatever may change answers. */
  readonly fingerprint?: string;
}

/** Takes the times of a stream. `now` in ms. */
export class Stopwatch {
  readonly #startedAt: number;
  #firstAt?: number;
  #lastAt = 0;

  constructor(now: number) {
    this.#startedAt = now;
  }

  /** Something of the answer has come. */
  note(now: number): void {
    this.#firstAt ??= now;
    this.#lastAt = now;
  }

  /** `completionTokens`: undefined where nobody has counted them. */
  figures(completionTokens?: number): Figures {
    if (this.#firstAt === undefined) return {};
    const decodeMs = this.#lastAt - this.#firstAt;
    return {
      ttftMs: this.#firstAt - this.#startedAt,
      completionTokens,
      ...completionTokens !== undefined && completionTokens > 1 && decodeMs > 0
        ? { tokensPerSecond: (completionTokens - 1) / decodeMs * 1000 }
        : {},
    };
  }
}
