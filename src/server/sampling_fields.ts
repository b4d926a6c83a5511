/** How an answer is chosen, in the names that OpenAI's, vLLM's and llama.cpp's clients have for it. @module */

import type { GenerationOptions } from "../protocol/options/generation.ts";
import { PENALTY_TOKENS_MAX } from "./api/requests.ts";
import type { Checked } from "./api/validate.ts";
import { badField } from "./api_error.ts";

/** Clients write −1 for "no limit" and "any". */
export function limitOf(value: unknown): number | undefined {
  return value === -1 ? undefined : value as number | undefined;
}

/** A value that has several names. Throws an ApiError, 400, where they contradict each other. */
export function oneOf<T>(fields: Checked, ...names: string[]): T | undefined {
  const given = names.filter((name) => fields[name] !== undefined);
  const other = given.find((name) => fields[name] !== fields[given[0]]);
  if (other !== undefined) {
    throw badField(given[0], `"${given[0]}" and "${other}" are two names of one thing: give one`);
  }
  return fields[given[0]] as T | undefined;
}

/** Options of sampling and length. Throws an ApiError, 400. */
export function toSampling(fields: Checked): GenerationOptions {
  const option = <T>(name: string) => fields[name] as T | undefined;
  const topK = option<number>("top_k");
  const last = option<number>("repeat_last_n");
  const penaltyFields = { ...fields, repeat_last_n: last === -1 ? PENALTY_TOKENS_MAX : last };
  const maxTokens = limitOf(oneOf(fields, "max_tokens", "max_completion_tokens", "n_predict"));
  const minTokens = option<number>("min_tokens");
  if (minTokens !== undefined && maxTokens !== undefined && minTokens > maxTokens) {
    throw badField(
      "min_tokens",
      `"min_tokens" must be at most the limit of tokens, ${maxTokens}, current value is ${minTokens}`,
    );
  }
  checkSamplers(option("samplers"));
  return {
    temperature: option("temperature"),
    topP: option("top_p"),
    topK: topK === -1 ? 0 : topK,
    minP: option("min_p"),
    repeatPenalty: oneOf(fields, "repeat_penalty", "repetition_penalty"),
    presencePenalty: option("presence_penalty"),
    frequencyPenalty: option("frequency_penalty"),
    penaltyTokens: oneOf(penaltyFields, "penalty_tokens", "repeat_last_n"),
    maxTokens,
    minTokens,
    specialTokens: option<boolean>("skip_special_tokens") === false,
  };
}

/** The samplers that there are, in their order, with llama.cpp's letters; the others are off, wherever they stand. */
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

/**
 * A body in which the fields of `extra_body` are its own, as clients send them that mean them to be. One that the body itself
 * says counts, but for null, which says nothing.
 */
export function withExtraBody(body: unknown): unknown {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "extra_body")) return body;
  const { extra_body: extra, ...own } = body as Record<string, unknown>;
  if (extra === null) return own;
  if (typeof extra !== "object" || Array.isArray(extra)) {
    throw badField("extra_body", '"extra_body" must be an object');
  }
  return {
    ...own,
    ...extra,
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null)),
  };
}
