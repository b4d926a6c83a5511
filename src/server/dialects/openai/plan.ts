/** From the fields of OpenAI's requests to what the engine is asked. @module */

import { IN_FLIGHT_MAX } from "../../../client/embedding.ts";
import type { Prompt } from "../../../protocol/request.ts";
import { badField } from "../../api_error.ts";
import type { Asked, Generating } from "../dialect.ts";
import { contentText } from "./messages.ts";
import { type Own, ownOptions } from "../own.ts";
import { urgencyOf } from "../urgency.ts";
import type { GenerationFields } from "./fields.ts";
import { structureOf } from "./structure.ts";
import { type LimitFields, limitOf, toSampling } from "./sampling.ts";

/** Those that only this server knows. */
interface OwnFields {
  readonly kumi?: Own;
}

/** Most answers to one request, prompts times `n`: evaluation tools send so many prompts together. */
const ANSWERS_MAX = 128;

/** What is told beside the text of an answer. */
export interface Telling {
  /** Alternatives to each token; undefined: its tokens are not told. */
  readonly logprobs?: number;
  /** Whether texts begin with their prompts. */
  readonly echoes?: boolean;
}

/** What a request for answers wants. */
export interface GenerationPlan {
  /** Prompt by prompt, `n` answers each. */
  readonly works: readonly Generating[];
  /** Answers to each prompt. */
  readonly n: number;
  readonly class: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Whether each event of a stream has the usage so far. */
  readonly continuousUsage: boolean;
  /** Alternatives to each token of an echoed prompt, where its tokens are told. */
  readonly echoTop?: number;
  /** Alternatives to each token of the prompt in a field of its own, where it is wanted. */
  readonly promptTop?: number;
}

/** A text, a list of tokens, or a list of one of these. */
export type PromptField = string | readonly string[] | readonly number[] | readonly (readonly number[])[];

/** The prompts that a field has. Throws an ApiError, 400, for tokens that the model has not. */
export function toPrompts(name: string, field: PromptField, vocab: number): Prompt[] {
  if (typeof field === "string") return [{ text: field }];
  const isOne = typeof field[0] === "number";
  const all = (isOne ? [field] : field) as readonly (string | number[])[];
  return all.map((each) => {
    if (typeof each === "string") return { text: each };
    checkTokens(name, each, vocab);
    return { tokens: each };
  });
}

/** Throws an ApiError, 400, for tokens that the model has not. */
export function checkTokens(field: string, tokens: readonly number[], vocab: number): void {
  const bad = tokens.find((token) => token >= vocab);
  if (bad !== undefined) throw badField(field, `Tokens in "${field}" must be below ${vocab}, one is ${bad}`);
}

/** Throws an ApiError, 400. */
export function planGeneration(
  fields: GenerationFields & LimitFields & OwnFields,
  prompts: readonly Prompt[],
  telling: Telling,
  asked: Asked,
): GenerationPlan {
  const { stream = false, n = 1, stream_options } = fields;
  checkCounts(fields, prompts.length);
  const seed = limitOf(fields.seed);
  const wanted = promptOptions(fields, telling);
  const options = { ...toOptions(fields, asked), logprobs: telling.logprobs, ...wanted.options };
  const structure = structureOf(fields);
  const works = prompts.flatMap((prompt) =>
    Array.from({ length: n }, (_, i): Generating => ({
      kind: "generating",
      prompt,
      ...structure === undefined ? {} : { grammarField: structure.field },
      options: {
        ...options,
        ...structure === undefined ? {} : { grammar: structure.grammar },
        ...seed === undefined ? {} : { seed: (seed + i) % Number.MAX_SAFE_INTEGER },
        // In a field of its own a prompt is told once.
        ...i === 0 || telling.echoes ? {} : { promptLogprobs: undefined },
      },
    }))
  );
  return {
    works,
    n,
    class: options.class,
    stream,
    includeUsage: stream_options?.include_usage === true,
    continuousUsage: stream_options?.continuous_usage_stats === true,
    ...wanted.tops,
  };
}

/** Throws an ApiError, 400. */
function checkCounts(
  { stream, n = 1, best_of = 1, stream_options }: GenerationFields,
  prompts: number,
): void {
  const answers = prompts * n;
  if (stream_options !== undefined && !stream) {
    throw badField("stream_options", '"stream_options" needs "stream": true');
  }
  if (answers > ANSWERS_MAX) {
    throw badField("n", `Prompts times "n" must be at most ${ANSWERS_MAX}, current value is ${answers}`);
  }
  if (best_of > n) {
    throw badField(
      "best_of",
      `More answers than are given are not supported by this server: "best_of" must be at most "n", ${n}, current value is ${best_of}`,
      "unsupported_value",
    );
  }
  if (stream && answers > IN_FLIGHT_MAX) {
    throw badField(
      "stream",
      `A stream must have at most ${IN_FLIGHT_MAX} answers, prompts times "n", current value is ${answers}`,
    );
  }
}

/** What is told of prompts. Throws an ApiError, 400. */
function promptOptions({ prompt_logprobs, stream }: GenerationFields, { logprobs, echoes }: Telling) {
  const echoTop = echoes ? logprobs : undefined;
  if (prompt_logprobs !== undefined && stream) {
    throw badField("prompt_logprobs", '"prompt_logprobs" are not available with "stream": true');
  }
  const wantsTokens = echoTop !== undefined || prompt_logprobs !== undefined;
  return {
    tops: { echoTop, promptTop: prompt_logprobs },
    options: {
      promptLogprobs: wantsTokens ? Math.max(echoTop ?? 0, prompt_logprobs ?? 0) : undefined,
      // Evaluation tools ask for one token of an answer and pass over it: it must be there even if it ends
      // the answer.
      endLogprob: echoTop !== undefined,
    },
  };
}

/** What a request's fields and headers say for all of its prompts. Throws an ApiError, 400. */
function toOptions(fields: GenerationFields & LimitFields & OwnFields, asked: Asked) {
  const { logit_bias = {}, stop_token_ids = [] } = fields;
  const { vocab } = asked.model.info;
  checkTokens("logit_bias", Object.keys(logit_bias).map(Number), vocab);
  checkTokens("stop_token_ids", stop_token_ids, vocab);
  return {
    ...urgencyOf(fields, asked),
    ...toSampling(fields),
    ...ownOptions(fields.kumi),
    ...fields.prediction === undefined
      ? {}
      : { prediction: contentText(fields.prediction.content, "prediction.content") },
    logitBias: logit_bias,
    stop: fields.stop,
    stopTokens: stop_token_ids,
    ignoreEnd: fields.ignore_eos,
  };
}
