/** Answers as a stream of events. @module */

import type { GenerationResult } from "../client/generation.ts";
import type { ThoughtsAt } from "../grammar/thoughts/format.ts";
import type { AnswerPart } from "../protocol/answer.ts";
import type { PromptLogprob, TokenLogprob } from "../protocol/answer.ts";
import type { ApiError } from "./api_error.ts";
import type { EventWriter, SoFar } from "./dialects/dialect.ts";
import type { CancelReason, EventSource } from "./sse.ts";

/** What an answer still has to say. */
interface Waiting extends SoFar {
  hasBegun: boolean;
  text: string;
  logprobs?: TokenLogprob[];
  promptLogprobs?: PromptLogprob[];
  result?: GenerationResult;
  isDone: boolean;
  promptTokens: number;
  completionTokens: number;
  thoughts?: ThoughtsAt;
}

/** Rough bytes of a log-probability in an event. */
const LOGPROB_BYTES = 64;
/** Rough bytes of an event around its text. */
const EVENT_BYTES = 256;

/**
 * Keeps what the answers say until the client reads it; what was not read yet becomes one part for each
 * answer.
 */
export class StreamedAnswer implements EventSource {
  readonly #writer: EventWriter;
  readonly #answers: Waiting[];
  readonly #onCancel: (reason: CancelReason) => void;
  #end = "";
  #waiting = 0;

  /** `count` answers. */
  constructor(writer: EventWriter, count: number, onCancel: (reason: CancelReason) => void) {
    this.#writer = writer;
    this.#onCancel = onCancel;
    this.#answers = Array.from(
      { length: count },
      () => ({ hasBegun: false, text: "", isDone: false, promptTokens: 0, completionTokens: 0 }),
    );
  }

  /** The engine has taken the prompt of an answer. */
  accepted(index: number, promptTokens: number, thoughts?: ThoughtsAt): void {
    this.#answers[index].promptTokens = promptTokens;
    this.#answers[index].thoughts = thoughts;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Takes what a step added to an answer. Whether that is worth an event. */
  part(index: number, { tokens, text, logprobs = [], promptLogprobs = [] }: AnswerPart): boolean {
    const answer = this.#answers[index];
    answer.completionTokens += tokens.length;
    answer.text += text;
    this.#waiting += text.length;
    if (logprobs.length > 0) (answer.logprobs ??= []).push(...logprobs);
    if (promptLogprobs.length > 0) (answer.promptLogprobs ??= []).push(...promptLogprobs);
    for (const { top } of [...promptLogprobs, ...logprobs]) this.#waiting += LOGPROB_BYTES * (1 + top.length);
    return text !== "" || logprobs.length > 0 || promptLogprobs.length > 0;
  }

  ended(index: number, result: GenerationResult): void {
    this.#answers[index].result = result;
    this.#waiting += EVENT_BYTES;
  }

  /** All answers have ended. */
  finish(results: readonly GenerationResult[]): void {
    this.#close(this.#writer.end(results));
  }

  /** An error is the last thing that a client hears. */
  fail(error: ApiError): void {
    this.#close(this.#writer.error(error));
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
    const { text, logprobs, promptLogprobs } = answer;
    const hasPart = text !== "" || logprobs !== undefined || promptLogprobs !== undefined;
    // What begins an answer goes with its first token, not before: clients take the first event for it, and
    // time it.
    if (!answer.hasBegun && (hasPart || isOver)) {
      events += this.#writer.first(index, answer);
      answer.hasBegun = true;
    }
    if (hasPart) {
      events += this.#writer.part(index, { text, logprobs, promptLogprobs }, answer);
      answer.text = "";
      answer.logprobs = answer.promptLogprobs = undefined;
    }
    if (isOver) {
      events += this.#writer.last(index, answer.result!, answer);
      answer.isDone = true;
    }
    return events;
  }

  cancelled(reason: CancelReason): void {
    this.#onCancel(reason);
  }
}
