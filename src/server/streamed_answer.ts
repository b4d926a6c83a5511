/** Answers as a stream of events. @module */

import type { GenerationResult } from "../client/generation.ts";
import type { AnswerPart } from "../protocol/answer.ts";
import type { PromptLogprob, TokenLogprob } from "../protocol/answer.ts";
import type { ApiError } from "./api_error.ts";
import type { AnswerFormat } from "./formats.ts";
import { type CancelReason, DONE_EVENT, type EventSource, eventText } from "./sse.ts";

/** What a choice still has to say. */
interface Waiting {
  hasBegun: boolean;
  text: string;
  logprobs?: TokenLogprob[];
  prompt?: PromptLogprob[];
  result?: GenerationResult;
  isDone: boolean;
  promptTokens: number;
  tokens: number;
}

/** Rough bytes of a log-probability in an event. */
const LOGPROB_BYTES = 64;
/** Rough bytes of an event around its text. */
const EVENT_BYTES = 256;

/** Keeps what the answers say until the client reads it; what was not read yet becomes one event for each answer. */
export class StreamedAnswer implements EventSource {
  readonly #format: AnswerFormat;
  readonly #answers: Waiting[];
  readonly #n: number;
  readonly #includeUsage: boolean;
  readonly #continuousUsage: boolean;
  readonly #onCancel: (reason: CancelReason) => void;
  #end = "";
  #waiting = 0;

  /** `count` answers, `n` to each prompt. */
  constructor(
    format: AnswerFormat,
    shape: { count: number; n: number; includeUsage: boolean; continuousUsage?: boolean },
    onCancel: (reason: CancelReason) => void,
  ) {
    this.#format = format;
    this.#n = shape.n;
    this.#includeUsage = shape.includeUsage;
    this.#continuousUsage = shape.continuousUsage === true;
    this.#onCancel = onCancel;
    this.#answers = Array.from(
      { length: shape.count },
      () => ({ hasBegun: false, text: "", isDone: false, promptTokens: 0, tokens: 0 }),
    );
  }

  /** The engine has taken the prompt of an answer. */
  accepted(index: number, promptTokens: number): void {
    this.#answers[index].promptTokens = promptTokens;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Takes what a step added to an answer. Whether that is worth an event. */
  part(index: number, { tokens, text, logprobs = [], promptLogprobs = [] }: AnswerPart): boolean {
    const answer = this.#answers[index];
    answer.tokens += tokens.length;
    answer.text += text;
    this.#waiting += text.length;
    if (logprobs.length > 0) (answer.logprobs ??= []).push(...logprobs);
    if (promptLogprobs.length > 0) (answer.prompt ??= []).push(...promptLogprobs);
    for (const { top } of [...promptLogprobs, ...logprobs]) this.#waiting += LOGPROB_BYTES * (1 + top.length);
    return text !== "" || logprobs.length > 0 || promptLogprobs.length > 0;
  }

  ended(index: number, result: GenerationResult): void {
    this.#answers[index].result = result;
    this.#waiting += EVENT_BYTES;
  }

  /** All answers have ended. */
  finish(results: readonly GenerationResult[]): void {
    const usage = this.#includeUsage ? eventText(this.#format.usage(results, this.#n)) : "";
    this.#close(usage + DONE_EVENT);
  }

  /** An error is the last thing that a client hears. */
  fail(error: ApiError): void {
    this.#close(eventText(error.body));
  }

  #close(text: string): void {
    this.#end = text;
    this.#waiting += text.length;
  }

  take(): string {
    let events = "";
    for (const [index, answer] of this.#answers.entries()) events += this.#takeAnswer(index, answer);
    events += this.#end;
    this.#end = "";
    this.#waiting = 0;
    return events;
  }

  #takeAnswer(index: number, answer: Waiting): string {
    let events = "";
    const isOver = answer.result !== undefined && !answer.isDone;
    // The list of an answer without tokens is empty, and there.
    if (isOver && !answer.hasBegun) answer.logprobs ??= answer.result!.logprobs;
    const hasPart = answer.text !== "" || answer.logprobs !== undefined || answer.prompt !== undefined;
    // The role goes with the first token, not before: clients take the first event for it, and time it.
    if (!answer.hasBegun && (hasPart || isOver)) {
      const first = this.#format.first(index);
      if (first !== null) events += this.#event(answer, first);
      answer.hasBegun = true;
    }
    if (hasPart) {
      events += this.#event(answer, this.#format.part(index, answer.text, answer.logprobs, answer.prompt));
      answer.text = "";
      answer.logprobs = answer.prompt = undefined;
    }
    if (isOver) {
      events += this.#event(answer, this.#format.last(index, answer.result!));
      answer.isDone = true;
    }
    return events;
  }

  /** An event of an answer, with the usage of that answer so far where it is wanted. */
  #event({ promptTokens, tokens }: Waiting, event: unknown): string {
    if (!this.#continuousUsage) return eventText(event);
    const usage = {
      prompt_tokens: promptTokens,
      completion_tokens: tokens,
      total_tokens: promptTokens + tokens,
    };
    return eventText({ ...event as object, usage });
  }

  cancelled(reason: CancelReason): void {
    this.#onCancel(reason);
  }
}
