import type { Completion, StepEvent, TokenLogprob } from "./protocol.ts";

/** A finished answer. */
export interface GenerationResult extends Completion {
  text: string;
  /** One for each token of the answer, where they were asked for. */
  logprobs?: TokenLogprob[];
}

/** What a step added to an answer. */
export type AnswerPart = Pick<StepEvent, "tokens" | "text" | "logprobs">;

/** Who hears of an answer as it comes, before its iterator does. What a listener throws ends the answer. */
export interface GenerationListener {
  /** The request was taken; nothing was computed for it yet. After a worker's end it may be said again. */
  onAccepted?: (promptTokens: number) => void;
  /** The ids of new tokens. */
  onTokens?: (tokens: readonly number[]) => void;
  /** What a step added: tokens, their text (some add none yet), their log-probabilities where they were asked for. */
  onPart?: (part: AnswerPart) => void;
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
  readonly #listener: GenerationListener;
  readonly #parts: string[] = [];
  readonly #logprobs: TokenLogprob[] = [];
  #text = "";
  #pending = "";
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /** `cancel` is called once at most, when the reader wants no more. */
  constructor(cancel: () => void, listener: GenerationListener = {}) {
    this.#cancel = cancel;
    this.#listener = listener;
    this.result = this.#settle.promise;
    // A caller who only iterates learns of an error there; the promise alone must not end the program.
    this.result.catch(() => {});
  }

  /** Takes what a step gave. For the engine's client. */
  push(event: StepEvent): void {
    if (this.#ended) return;
    if (!this.#tell(event)) return;
    const { text, logprobs, completion } = event;
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

  /** Calls the listeners; what one throws ends the answer. */
  #tell({ promptTokens, tokens, text, logprobs }: StepEvent): boolean {
    const { onAccepted, onTokens, onPart } = this.#listener;
    try {
      if (promptTokens !== undefined) onAccepted?.(promptTokens);
      if (tokens.length > 0) onTokens?.(tokens);
      if (tokens.length > 0 || text !== "") onPart?.({ tokens, text, logprobs });
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
