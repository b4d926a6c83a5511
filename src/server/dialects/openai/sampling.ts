/**
 * How an answer is chosen, in the names that OpenAI's, vLLM's and llama.cpp's clients have for it.
 * @module
 */

import type { GenerationOptions } from "../../../protocol/options/generation.ts";
import { badField } from "../../api_error.ts";
import { type GenerationFields, PENALTY_TOKENS_MAX } from "./fields.ts";

/** The names of the limit that not every endpoint has. */
export interface LimitFields {
  readonly max_completion_tokens?: number;
}

/** Clients write −1 for "no limit" and "any". */
export function limitOf(value: number | undefined): number | undefined {
  return value === -1 ? undefined : value;
}

/** A value that has several names. Throws an ApiError, 400, where they contradict each other. */
export function oneOf<T>(values: Readonly<Record<string, T | undefined>>): T | undefined {
  const given = Object.keys(values).filter((name) => values[name] !== undefined);
  const other = given.find((name) => values[name] !== values[given[0]]);
  if (other !== undefined) {
    throw badField(given[0], `"${given[0]}" and "${other}" are two names of one thing: give one`);
  }
  return values[given[0]];
}

/** Options of sampling and length. Throws an ApiError, 400. */
export function toSampling(fields: GenerationFields & LimitFields) {
  const { top_k, min_tokens, max_tokens, max_completion_tokens, n_predict } = fields;
  const { repeat_penalty, repetition_penalty, penalty_tokens } = fields;
  const repeat_last_n = fields.repeat_last_n === -1 ? PENALTY_TOKENS_MAX : fields.repeat_last_n;
  const maxTokens = limitOf(oneOf({ max_tokens, max_completion_tokens, n_predict }));
  if (min_tokens !== undefined && maxTokens !== undefined && min_tokens > maxTokens) {
    throw badField(
      "min_tokens",
      `"min_tokens" must be at most the limit of tokens, ${maxTokens}, current value is ${min_tokens}`,
    );
  }
  checkSamplers(fields.samplers);
  return {
    temperature: fields.temperature,
    topP: fields.top_p,
    topK: top_k === -1 ? 0 : top_k,
    minP: fields.min_p,
    repeatPenalty: oneOf({ repeat_penalty, repetition_penalty }),
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    penaltyTokens: oneOf({ penalty_tokens, repeat_last_n }),
    maxTokens,
    minTokens: min_tokens,
    specialTokens: fields.skip_special_tokens === false,
  } satisfies GenerationOptions;
}

/**
 * The samplers that there are, in their order, with llama.cpp's letters; the others are off, wherever they
 * stand.
 */
const SAMPLERS = [["penalties", "e"], ["top_k", "k"], ["top_p", "p"], ["min_p", "m"], ["temperature", "t"]];

function checkSamplers(given: string | string[] | undefined): void {
  if (given === undefined) return;
  const own = SAMPLERS.map(([name, letter]) => typeof given === "string" ? letter : name);
  const order = [...given].filter((name) => own.includes(name));
  if (order.length === own.length && order.every((name, i) => name === own[i])) return;
  throw badField(
    "samplers",
    `Another order or choice of samplers is not supported by this server: "samplers" must have ${
      own.join(", ")
    }`,
    "unsupported_value",
  );
}
