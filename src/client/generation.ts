import { AlignedLogprobs } from "./aligned_logprobs.ts";
import { AnswerReader } from "../grammar/answer_reader.ts";
import type { ThoughtFormat, ThoughtsAt } from "../grammar/thoughts/format.ts";
import type { Completion, PromptLogprob, StepEvent, TokenLogprob } from "../protocol/answer.ts";
import type { GenerationListener } from "../protocol/options/generation.ts";
import type { Receipt } from "../protocol/receipts/receipt.ts";
import type { ReceiptDraft } from "./receipt_draft.ts";

/** A finished answer. */
export interface GenerationResult extends Completion {
  text: string;
  /** What the model thought before, where that is told apart from the text. */
  reasoning?: string;
  /** Where the answer began, if the model marks its thoughts. */
  thoughts?: ThoughtsAt;
  /** One for each token of the text, where they were asked for: the bytes of all, joined, are the text. */
  logprobs?: TokenLogprob[];
  /** One for each token of the prompt, where they were asked for. */
  promptLogprobs?: PromptLogprob[];
  /** Where one was asked for: what proves the answer. */
  receipt?: Receipt;
}

/** What an answer is made with beside its listeners. All optional. */
export interface GenerationParts {
  /** What an abort is told from. */
  readonly signal?: AbortSignal;
  /** Set where thoughts are to be told apart from the text. */
  readonly thoughts?: ThoughtFormat;
  /** Set where the answer is to have a receipt. */
  readonly receipt?: ReceiptDraft;
}

/**
 * An answer on its way. Iterate it for the parts of the text as they come, or await `result` for the whole; both may
 * be done. Leaving the loop early ends the answer.
 *
 * When the caller's signal ends it, the loop throws the signal's reason after the last part, so that whoever reads on knows that
 * the text is cut: a DOMException "AbortError" unless the signal says otherwise. `result` has what came so far.
 *
 * ```ts
 * import { loadModel } from "@kumi/kumi";
 *
 * await using model = await loadModel("demo");
 * const answer = model.generate("Once upon a time", { maxTokens: 50 });
 * for await (const part of answer) console.log(part);
 * console.log((await answer.result).timings);
 * ```
 */
export class Generation implements AsyncIterable<string> {
  /** The whole answer. Rejects when the request fails; an aborted one resolves with finishReason "abort" and what came so far. */
  readonly result: Promise<GenerationResult>;
  readonly #settle: PromiseWithResolvers<GenerationResult> = Promise.withResolvers();
  readonly #cancel: () => void;
  readonly #listener: GenerationListener;
  readonly #signal?: AbortSignal;
  readonly #thoughtFormat?: ThoughtFormat;
  readonly #receipt?: ReceiptDraft;
  readonly #parts: string[] = [];
  readonly #reasoning: string[] = [];
  #thoughts?: ThoughtsAt;
  #reader?: AnswerReader;
  readonly #aligned = new AlignedLogprobs();
  /** Undefined where nobody asked for them. */
  #logprobs: TokenLogprob[] | undefined;
  /** Undefined where nobody asked for them. */
  #promptLogprobs: PromptLogprob[] | undefined;
  #text = "";
  #pending = "";
  #ended = false;
  #wasAborted = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /** `cancel` is called once at most, when the reader wants no more. */
  constructor(
    cancel: () => void,
    listener: GenerationListener = {},
    { signal, thoughts, receipt }: GenerationParts = {},
  ) {
    this.#cancel = cancel;
    this.#thoughtFormat = thoughts;
    this.#receipt = receipt;
    this.#signal = signal;
    this.#listener = listener;
    this.result = this.#settle.promise;
    // A caller who only iterates learns of an error there; the promise alone must not end the program.
    this.result.catch(() => {});
  }

  /** Takes what a step gave. For the engine's client. */
  push(event: StepEvent): void {
    if (this.#ended) return;
    const { completion, promptLogprobs } = event;
    this.#receipt?.push(event);
    if (promptLogprobs !== undefined) (this.#promptLogprobs ??= []).push(...promptLogprobs);
    const logprobs = event.logprobs && this.#align(event.logprobs, event.text, completion !== undefined);
    const { text, reasoning } = this.#split(event);
    if (!this.#tell({ ...event, text }, logprobs, reasoning)) return;
    this.#parts.push(text);
    this.#pending += text;
    if (completion !== undefined) {
      this.#ended = true;
      this.#wasAborted = completion.finishReason === "abort";
      this.#text = this.#parts.join("");
      const result: GenerationResult = { text: this.#text, ...completion };
      if (this.#thoughts !== undefined) result.thoughts = this.#thoughts;
      if (this.#reader !== undefined) result.reasoning = this.#reasoning.join("");
      if (this.#logprobs !== undefined) result.logprobs = this.#logprobs;
      if (this.#promptLogprobs !== undefined) result.promptLogprobs = this.#promptLogprobs;
      this.#settle.resolve(this.#receipt === undefined ? result : this.#proven(this.#receipt, result));
    }
    this.#wake?.();
  }

  async #proven(draft: ReceiptDraft, result: GenerationResult): Promise<GenerationResult> {
    return { ...result, receipt: await draft.finish(result) };
  }

  /** Where the answer begins, once it was taken, if the model marks its thoughts. */
  get thoughts(): ThoughtsAt | undefined {
    return this.#thoughts;
  }

  /** What an event says, and what was thought. */
  #split({ text, thoughts, completion }: StepEvent): { text: string; reasoning: string } {
    if (thoughts !== undefined && this.#thoughts === undefined) {
      this.#thoughts = thoughts;
      this.#reader = this.#thoughtFormat && new AnswerReader({ thoughts: this.#thoughtFormat }, thoughts);
    }
    if (this.#reader === undefined) return { text, reasoning: "" };
    const pieces = [...this.#reader.push(text), ...completion === undefined ? [] : this.#reader.end()];
    const joined = (kind: "text" | "thought") =>
      pieces.flatMap((piece) => piece.kind === kind ? [piece.text] : []).join("");
    const reasoning = joined("thought");
    this.#reasoning.push(reasoning);
    return { text: joined("text"), reasoning };
  }

  /** The log-probabilities that belong to the text that is out with this event. */
  #align(tokens: readonly TokenLogprob[], text: string, isLast: boolean): TokenLogprob[] {
    const out = this.#aligned.push(tokens, text);
    if (isLast) out.push(...this.#aligned.end());
    (this.#logprobs ??= []).push(...out);
    return out;
  }

  /** Calls the listeners; what one throws ends the answer. */
  #tell(
    { promptTokens, prefixHashes, thoughts, tokens, text, promptLogprobs }: StepEvent,
    logprobs: TokenLogprob[] | undefined,
    reasoning: string,
  ): boolean {
    const { onAccepted, onTokens, onPart } = this.#listener;
    try {
      if (promptTokens !== undefined) onAccepted?.(promptTokens, prefixHashes, thoughts);
      if (tokens.length > 0) onTokens?.(tokens);
      const hasNews = tokens.length > 0 || text !== "" || (logprobs?.length ?? 0) > 0;
      const thought = reasoning === "" ? {} : { reasoning };
      if (promptLogprobs !== undefined) onPart?.({ tokens, text, ...thought, logprobs, promptLogprobs });
      else if (hasNews || reasoning !== "") onPart?.({ tokens, text, ...thought, logprobs });
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
        else if (this.#ended) return this.#wasAborted ? this.#signal?.throwIfAborted() : undefined;
        else await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      if (!this.#ended) this.#cancel();
    }
  }
}
