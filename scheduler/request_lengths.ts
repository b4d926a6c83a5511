/** Estimates of how long prompts and answers are, by those that were counted. @module */

/** Share of what their units say that texts are taken to have until some were counted. */
const FIRST_SCALE = 0.5;
/**
 * … and at most: most of a short conversation's tokens are its template's, which tells nothing about long
 * ones.
 */
const SCALE_MAX = 1;

/**
 * How many tokens prompts have that nobody has tokenized yet, by those that were. Rather too few than too
 * many: who is not refused for them is judged by the worker, with its tokens counted.
 */
export class PromptLengths {
  #scale: number | null = null;

  /** Notes the tokens of a prompt that was taken to have so many by its units. */
  add(estimate: number, tokens: number): void {
    if (estimate === 0) return;
    const scale = Math.min(tokens / estimate, SCALE_MAX);
    this.#scale = this.#scale === null ? scale : this.#scale + (scale - this.#scale) / 16;
  }

  /** Tokens of a prompt, or of a part of it, that has so many by its units. */
  tokens(estimate: number): number {
    return estimate * (this.#scale ?? FIRST_SCALE);
  }
}

/** Tokens that an answer of unknown length may have: a running mean of those that have ended. */
export class AnswerLengths {
  #mean = 128;
  #count = 0;

  /** Notes the length of an answer that has ended. */
  add(tokens: number): void {
    this.#count = Math.min(this.#count + 1, 32);
    this.#mean += (tokens - this.#mean) / this.#count;
  }

  /** Tokens that are still to come, at least one. */
  remaining(emitted: number, maxTokens?: number): number {
    return Math.max((maxTokens ?? this.#mean) - emitted, 1);
  }
}
