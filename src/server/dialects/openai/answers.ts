/** What OpenAI's answers have in common, whole and in parts. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { PromptLogprob, TokenLogprob, Usage } from "../../../protocol/answer.ts";
import { type ApiError, OPENAI_ERRORS } from "../../api_error.ts";
import { DONE_EVENT, eventText } from "../../sse.ts";
import type { Asked, EventWriter, Plan, SoFar } from "../dialect.ts";
import { promptLogprobs } from "./completion_logprobs.ts";
import type { GenerationPlan } from "./plan.ts";

/** Errors that every endpoint can have which asks the engine for something. */
export const ENGINE_ERRORS: readonly number[] = [408, 413, 415, 429, 503];

/** What all objects of one response have in common. */
export function headOf({ id, created, model, modelName }: Asked, prefix: string, object: string) {
  const { fingerprint } = model.info;
  return { id: `${prefix}-${id}`, object, created, model: modelName, system_fingerprint: fingerprint };
}

/** Answers of `n` choices to each prompt: a prompt is counted once. */
export function usageOf(results: readonly GenerationResult[], n: number) {
  const prompts = results.filter((_, i) => i % n === 0);
  const sum = (of: readonly GenerationResult[], field: keyof Usage) =>
    of.reduce((total, { usage }) => total + (usage[field] ?? 0), 0);
  const has = (field: keyof Usage) => results.some(({ usage }) => usage[field] !== undefined);
  const details = {
    ...has("reasoningTokens") ? { reasoning_tokens: sum(results, "reasoningTokens") } : {},
    ...has("acceptedPredictionTokens")
      ? {
        accepted_prediction_tokens: sum(results, "acceptedPredictionTokens"),
        rejected_prediction_tokens: sum(results, "rejectedPredictionTokens"),
      }
      : {},
  };
  const promptTokens = sum(prompts, "promptTokens");
  const completionTokens = sum(results, "completionTokens");
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(prompts, "cachedTokens") },
    ...Object.keys(details).length > 0 ? { completion_tokens_details: details } : {},
  };
}

/** How an answer ended. Clients know "stop" and "length" alone; `kumi` has the engine's own reason. */
export function ending({ finishReason, seed, receipt }: GenerationResult) {
  return {
    finish_reason: finishReason === "stop" ? "stop" : "length",
    kumi: { finish_reason: finishReason, seed, ...receipt === undefined ? {} : { receipt } },
  };
}

/**
 * The field of a prompt's log-probabilities, where it is wanted. `n` answers to a prompt: the first one has
 * them.
 */
export function promptField(results: readonly GenerationResult[], index: number, n: number, top?: number) {
  if (top === undefined) return {};
  return { prompt_logprobs: promptLogprobs(results[index - index % n].promptLogprobs ?? [], top) };
}

/** The objects of a stream, one or several at once. `index`: the place of an answer. */
export interface Chunks {
  /** Before the first part; null where there is nothing to say. */
  first(index: number, soFar: SoFar): object | null;
  part(
    index: number,
    text: string,
    logprobs?: readonly TokenLogprob[],
    prompt?: readonly PromptLogprob[],
  ): object | object[];
  last(index: number, result: GenerationResult): object | object[];
  usage(results: readonly GenerationResult[]): object;
}

/** What becomes of a request's works: one object, or a stream of them where that is wanted. */
export function answering(
  plan: GenerationPlan,
  answers: Chunks & { whole(results: readonly GenerationResult[]): object },
): Plan {
  return {
    works: plan.works,
    class: plan.class,
    whole: (results) => answers.whole(results),
    events: plan.stream ? new ChunkEvents(answers, plan) : undefined,
  };
}

/** A stream of objects without names, which ends with [DONE]; usage where it is wanted. */
export class ChunkEvents implements EventWriter {
  readonly #chunks: Chunks;
  readonly #plan: Pick<GenerationPlan, "includeUsage" | "continuousUsage">;

  constructor(chunks: Chunks, plan: Pick<GenerationPlan, "includeUsage" | "continuousUsage">) {
    this.#chunks = chunks;
    this.#plan = plan;
  }

  first(index: number, soFar: SoFar): string {
    const chunk = this.#chunks.first(index, soFar);
    return chunk === null ? "" : this.#event(chunk, soFar);
  }

  part(index: number, { text, logprobs, promptLogprobs }: Parameters<EventWriter["part"]>[1], soFar: SoFar) {
    return this.#events(this.#chunks.part(index, text, logprobs, promptLogprobs), soFar);
  }

  last(index: number, result: GenerationResult, soFar: SoFar): string {
    return this.#events(this.#chunks.last(index, result), soFar);
  }

  end(results: readonly GenerationResult[]): string {
    return (this.#plan.includeUsage ? eventText(this.#chunks.usage(results)) : "") + DONE_EVENT;
  }

  error(error: ApiError): string {
    return eventText(OPENAI_ERRORS.body(error));
  }

  #events(chunks: object | object[], soFar: SoFar): string {
    return [chunks].flat().map((chunk) => this.#event(chunk, soFar)).join("");
  }

  /** An event of an answer, with the usage of that answer so far where it is wanted. */
  #event(chunk: object, { promptTokens, completionTokens }: SoFar): string {
    if (!this.#plan.continuousUsage) return eventText(chunk);
    const usage = {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    };
    return eventText({ ...chunk, usage });
  }
}
