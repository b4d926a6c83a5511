/** From a checked request to what the engine is asked. @module */

import { createHash } from "node:crypto";
import { IN_FLIGHT_MAX } from "../client/embedding.ts";
import type { ChatOptions } from "../protocol/options/generation.ts";
import type { Pooling, Prompt } from "../protocol/request.ts";
import { type ChatVariables, REASONING_EFFORTS } from "../tokenizer/template_options.ts";
import { ANSWERS_MAX, CHAT_FIELDS, TEXT_FIELDS } from "./api/requests.ts";
import { type Checked, checkObject, type OnUnknown } from "./api/validate.ts";
import { badField } from "./api_error.ts";
import { hasPrefixMark, toMessages } from "./chat_messages.ts";
import { limitOf, toSampling, withExtraBody } from "./sampling_fields.ts";

/** One answer. */
export interface Job {
  readonly prompt: Prompt;
  readonly options: ChatOptions;
  /** Set: the prompt's embedding is wanted, and no answer. */
  readonly pooling?: Pooling;
}

/** What a request for answers wants. */
export interface GenerationPlan {
  /** Prompt by prompt, `n` answers each. */
  readonly jobs: readonly Job[];
  /** Answers to each prompt. */
  readonly n: number;
  readonly class: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Whether each event of a stream has the usage so far. */
  readonly continuousUsage?: boolean;
  /** Whether texts begin with their prompts. */
  readonly echoes?: boolean;
  /** Alternatives to each token of an echoed prompt, where its tokens are told. */
  readonly echoTop?: number;
  /** Alternatives to each token of the prompt in a field of its own, where it is wanted. */
  readonly promptTop?: number;
}

/** What a plan depends on beside the body. */
export interface PlanContext {
  readonly headers: Headers;
  readonly tenant: string;
  /** Tokens that the model has. */
  readonly vocab: number;
  /** Of the model. */
  readonly defaultClass: string;
  /** Set: fields that are not known are ignored, and it is told of them. */
  readonly onUnknown?: OnUnknown;
}

/** Throws an ApiError, 400. */
export function planChat(body: unknown, context: PlanContext): GenerationPlan {
  const fields = checkObject(CHAT_FIELDS, withExtraBody(body), "", context.onUnknown);
  if (fields.top_logprobs && fields.logprobs !== true) {
    throw badField("top_logprobs", '"top_logprobs" needs "logprobs": true');
  }
  const prompt = toConversation(fields);
  const logprobs = fields.logprobs === true ? fields.top_logprobs as number ?? 0 : undefined;
  return plan(fields, [prompt], logprobs, context);
}

/** Throws an ApiError, 400. */
export function planText(body: unknown, context: PlanContext): GenerationPlan {
  const fields = checkObject(TEXT_FIELDS, withExtraBody(body), "", context.onUnknown);
  return plan(
    fields,
    toPrompts(fields.prompt as PromptField),
    fields.logprobs as number | undefined,
    context,
  );
}

/** A text, a list of tokens, or a list of one of these. */
export type PromptField = string | string[] | number[] | number[][];

/** The prompts that a field has. */
export function toPrompts(prompt: PromptField): Prompt[] {
  if (typeof prompt === "string") return [{ text: prompt }];
  if (typeof prompt[0] === "number") return [{ tokens: prompt as number[] }];
  return (prompt as (string | number[])[]).map((each) =>
    typeof each === "string" ? { text: each } : { tokens: each }
  );
}

function toConversation(fields: Checked): Prompt {
  const messages = fields.messages as Checked[];
  const kwargs = fields.chat_template_kwargs as ChatVariables | undefined;
  const effort = fields.reasoning_effort as string | undefined;
  const continueFinalMessage = fields.continue_final_message as boolean | undefined ??
    (hasPrefixMark(messages) || undefined);
  const addGenerationPrompt = fields.add_generation_prompt as boolean | undefined;
  if (continueFinalMessage && addGenerationPrompt) {
    throw badField(
      "continue_final_message",
      'Cannot set both "continue_final_message" and "add_generation_prompt" to true: an answer goes on with a message or begins one',
    );
  }
  return {
    messages: toMessages(messages),
    // An effort asks for thoughts, or for none: many templates know only whether.
    enableThinking: fields.enable_thinking as boolean | undefined ??
      (effort === undefined ? undefined : effort !== "none"),
    // Others are taken and change nothing.
    reasoningEffort: REASONING_EFFORTS.find((each) => each === effort),
    continueFinalMessage,
    addGenerationPrompt,
    templateVariables: kwargs,
  };
}

function plan(
  fields: Checked,
  prompts: readonly Prompt[],
  logprobs: number | undefined,
  context: PlanContext,
): GenerationPlan {
  const { stream = false, n = 1, best_of = 1 } = fields as { stream?: boolean; n?: number; best_of?: number };
  const seed = limitOf(fields.seed);
  if (fields.stream_options !== undefined && !stream) {
    throw badField("stream_options", '"stream_options" needs "stream": true');
  }
  if (prompts.length * n > ANSWERS_MAX) {
    throw badField(
      "n",
      `Prompts times "n" must be at most ${ANSWERS_MAX}, current value is ${prompts.length * n}`,
    );
  }
  if (best_of > n) {
    throw badField(
      "best_of",
      `More answers than are given are not supported by this server: "best_of" must be at most "n", ${n}, current value is ${best_of}`,
      "unsupported_value",
    );
  }
  if (stream && prompts.length * n > IN_FLIGHT_MAX) {
    throw badField(
      "stream",
      `A stream must have at most ${IN_FLIGHT_MAX} answers, prompts times "n", current value is ${
        prompts.length * n
      }`,
    );
  }
  const wanted = toPromptOptions(fields, logprobs);
  const options = { ...toOptions(fields, context), ...toSampling(fields), logprobs, ...wanted.options };
  const jobs = prompts.flatMap((each) => {
    if ("tokens" in each) checkTokens("prompt", each.tokens, context.vocab);
    return Array.from({ length: n }, (_, i): Job => ({
      prompt: each,
      options: {
        ...options,
        ...seed === undefined ? {} : { seed: (seed + i) % Number.MAX_SAFE_INTEGER },
        // In a field of its own a prompt is told once.
        ...i === 0 || wanted.plan.echoes ? {} : { promptLogprobs: undefined },
      },
    }));
  });
  const { include_usage, continuous_usage_stats } = fields.stream_options as Checked | undefined ?? {};
  return {
    jobs,
    n,
    class: options.class!,
    stream,
    includeUsage: include_usage === true,
    continuousUsage: continuous_usage_stats === true,
    ...wanted.plan,
  };
}

/** What is told of prompts. Throws an ApiError, 400. */
function toPromptOptions(fields: Checked, logprobs: number | undefined) {
  const echoes = fields.echo === true;
  const echoTop = echoes ? logprobs : undefined;
  const promptTop = fields.prompt_logprobs as number | undefined;
  if (promptTop !== undefined && fields.stream === true) {
    throw badField("prompt_logprobs", '"prompt_logprobs" are not available with "stream": true');
  }
  const wantsTokens = echoTop !== undefined || promptTop !== undefined;
  return {
    plan: { echoes, echoTop, promptTop },
    options: {
      promptLogprobs: wantsTokens ? Math.max(echoTop ?? 0, promptTop ?? 0) : undefined,
      // Evaluation tools ask for one token of an answer and pass over it: it must be there even if it ends the answer.
      endLogprob: echoTop !== undefined,
    },
  };
}

/** What a request's fields and headers say for all of its prompts. Throws an ApiError, 400. */
export function toOptions(
  fields: Checked,
  { headers, tenant, vocab, defaultClass }: PlanContext,
): ChatOptions {
  const { logit_bias = {}, stop_token_ids = [], cache_salt } = fields as {
    logit_bias?: Record<number, number>;
    stop_token_ids?: number[];
    cache_salt?: string;
  };
  checkTokens("logit_bias", Object.keys(logit_bias).map(Number), vocab);
  checkTokens("stop_token_ids", stop_token_ids, vocab);
  const option = <T>(name: string) => fields[name] as T | undefined;
  return {
    logitBias: logit_bias,
    stop: option("stop"),
    stopTokens: stop_token_ids,
    ignoreEnd: option("ignore_eos"),
    class: option<string>("class") ?? headerClass(headers) ?? defaultClass,
    deadlineMs: option<number>("deadline_ms") ?? headerDeadline(headers),
    priority: option("priority"),
    tenant: cache_salt === undefined ? tenant : saltedTenant(tenant, cache_salt),
  };
}

/** A key never makes another tenant's name with it: the salt is hashed together with it. */
function saltedTenant(tenant: string, salt: string): string {
  return createHash("sha256").update(`kumi salt\0${tenant}\0${salt}`).digest("hex");
}

/** Throws an ApiError, 400, for tokens that the model has not. */
export function checkTokens(field: string, tokens: readonly number[], vocab: number): void {
  const bad = tokens.find((token) => token >= vocab);
  if (bad !== undefined) throw badField(field, `Tokens in "${field}" must be below ${vocab}, one is ${bad}`);
}

function headerClass(headers: Headers): string | undefined {
  const name = headers.get("x-kumi-class");
  if (name === null) return undefined;
  return checkObject({ "x-kumi-class": TEXT_FIELDS.class }, {
    "x-kumi-class": name,
  })["x-kumi-class"] as string;
}

function headerDeadline(headers: Headers): number | undefined {
  const name = "x-kumi-deadline-ms";
  const text = headers.get(name);
  if (text === null) return undefined;
  return checkObject({ [name]: TEXT_FIELDS.deadline_ms }, { [name]: Number(text) })[name] as number;
}
