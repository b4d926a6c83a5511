import type { Completion, StepEvent, TokenLogprob } from "./protocol.ts";

/** A finished answer. */
export interface GenerationResult extends Completion {
  text: string;
  /** One for each token of the answer, where they were asked for. */
  logprobs?: TokenLogprob[];
}

/**
 * An answer on its way. Iterate it for the parts of the text as they come, or await `result` for the whole; both may
 * be done. Leaving the loop early ends the answer.
 *
 * ```ts ignore
 * const answer = model.generate("Once upon a time");
 * for await (const part of answer) console.log(part);
 * console.log((await answer.result).timings);
 * ```
 */
export class Generation implements AsyncIterable<string> {
  /** The whole answer. Rejects when the request fails; an aborted one has finishReason "abort" and what came so far. */
  readonly result: Promise<GenerationResult>;
  readonly #settle: PromiseWithResolvers<GenerationResult> = Promise.withResolvers();
  readonly #cancel: () => void;
  readonly #onTokens?: (tokens: readonly number[]) => void;
  readonly #parts: string[] = [];
  readonly #logprobs: TokenLogprob[] = [];
  #text = "";
  #pending = "";
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /** `cancel` is called once at most, when the reader wants no more; `onTokens` with the tokens as they come. */
  constructor(cancel: () => void, onTokens?: (tokens: readonly number[]) => void) {
    this.#cancel = cancel;
    this.#onTokens = onTokens;
    this.result = this.#settle.promise;
    // A caller who only iterates learns of an error there; the promise alone must not end the program.
    this.result.catch(() => {});
  }

  /** Takes what a step gave. For the engine's client. */
  push({ tokens, text, logprobs, completion }: StepEvent): void {
    if (this.#ended) return;
    if (!this.#tell(tokens)) return;
    this.#parts.push(text);
    this.#pending += text;
    if (logprobs !== undefined) this.#logprobs.push(...logprobs);
    if (completion !== undefined) {
      this.#ended = true;
      this.#text = this.#parts.join("");
      const result: GenerationResult = { text: this.#text, ...completion };
      if (this.#logprobs.length > 0) result.logprobs = this.#logprobs;
      this.#settle.resolve(result);
    }
    this.#wake?.();
  }

  /** Calls the listener; what it throws ends the answer. */
  #tell(tokens: readonly number[]): boolean {
    if (tokens.length === 0) return true;
    try {
      this.#onTokens?.(tokens);
      return true;
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      this.#cancel();
      return false;
    }
  }

  /** Ends with an error. For the engine's client. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#settle.reject(error);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    try {
      while (true) {
        const part = this.#pending;
        this.#pending = "";
        if (part !== "") yield part;
        else if (this.#error !== null) throw this.#error;
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      if (!this.#ended) this.#cancel();
    }
  }
}
