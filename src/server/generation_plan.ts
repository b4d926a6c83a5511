/** From a checked request to what the engine is asked. @module */

import type { ChatOptions } from "../engine/generation_options.ts";
import type { ChatMessage, Pooling, Prompt } from "../engine/protocol.ts";
import { ANSWERS_MAX, CHAT_FIELDS, TEXT_FIELDS } from "./api/requests.ts";
import { type Checked, checkObject } from "./api/validate.ts";
import { badField } from "./api_error.ts";

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
}

/** What a plan depends on beside the body. */
export interface PlanContext {
  readonly headers: Headers;
  readonly tenant: string;
  /** Tokens that the model has. */
  readonly vocab: number;
}

const DEFAULT_CLASS = "interactive";

/** Throws an ApiError, 400. */
export function planChat(body: unknown, context: PlanContext): GenerationPlan {
  const fields = checkObject(CHAT_FIELDS, body);
  if (fields.top_logprobs !== undefined && fields.logprobs !== true) {
    throw badField("top_logprobs", '"top_logprobs" needs "logprobs": true');
  }
  const messages = (fields.messages as Checked[]).map(toMessage);
  const kwargs = fields.chat_template_kwargs as { enable_thinking?: boolean } | undefined;
  const prompt = { messages, enableThinking: kwargs?.enable_thinking };
  const logprobs = fields.logprobs === true ? fields.top_logprobs as number ?? 0 : undefined;
  return plan(fields, [prompt], logprobs, context);
}

/** Throws an ApiError, 400. */
export function planText(body: unknown, context: PlanContext): GenerationPlan {
  const fields = checkObject(TEXT_FIELDS, body);
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

function toMessage({ role, content, reasoning_content }: Checked): ChatMessage {
  const text = typeof content === "string"
    ? content
    : (content as { text: string }[]).map(({ text }) => text).join("\n");
  const message: ChatMessage = { role: role as string, content: text };
  if (reasoning_content !== undefined) message.reasoning_content = reasoning_content as string;
  return message;
}

function plan(
  fields: Checked,
  prompts: readonly Prompt[],
  logprobs: number | undefined,
  context: PlanContext,
): GenerationPlan {
  const { stream = false, n = 1, seed } = fields as { stream?: boolean; n?: number; seed?: number };
  if (fields.stream_options !== undefined && !stream) {
    throw badField("stream_options", '"stream_options" needs "stream": true');
  }
  if (prompts.length * n > ANSWERS_MAX) {
    throw badField(
      "n",
      `Prompts times "n" must be at most ${ANSWERS_MAX}, current value is ${prompts.length * n}`,
    );
  }
  const options = { ...toOptions(fields, context), logprobs };
  const jobs = prompts.flatMap((prompt) => {
    if ("tokens" in prompt) checkTokens("prompt", prompt.tokens, context.vocab);
    return Array.from({ length: n }, (_, i): Job => ({
      prompt,
      options: seed === undefined ? options : { ...options, seed: (seed + i) % Number.MAX_SAFE_INTEGER },
    }));
  });
  const includeUsage = (fields.stream_options as Checked | undefined)?.include_usage === true;
  return { jobs, n, class: options.class!, stream, includeUsage };
}

/** What a request's fields and headers say for all of its prompts. Throws an ApiError, 400. */
export function toOptions(fields: Checked, { headers, tenant, vocab }: PlanContext): ChatOptions {
  const { max_tokens, max_completion_tokens, logit_bias = {}, stop_token_ids = [] } = fields as {
    max_tokens?: number;
    max_completion_tokens?: number;
    logit_bias?: Record<number, number>;
    stop_token_ids?: number[];
  };
  if (
    max_tokens !== undefined && max_completion_tokens !== undefined && max_tokens !== max_completion_tokens
  ) {
    throw badField(
      "max_tokens",
      '"max_tokens" and "max_completion_tokens" are two names of one thing: give one',
    );
  }
  checkTokens("logit_bias", Object.keys(logit_bias).map(Number), vocab);
  checkTokens("stop_token_ids", stop_token_ids, vocab);
  const option = <T>(name: string) => fields[name] as T | undefined;
  return {
    temperature: option("temperature"),
    topP: option("top_p"),
    topK: option("top_k"),
    minP: option("min_p"),
    repeatPenalty: option("repeat_penalty"),
    presencePenalty: option("presence_penalty"),
    frequencyPenalty: option("frequency_penalty"),
    penaltyTokens: option("penalty_tokens"),
    logitBias: logit_bias,
    maxTokens: max_tokens ?? max_completion_tokens,
    stop: option("stop"),
    stopTokens: stop_token_ids,
    ignoreEnd: option("ignore_eos"),
    class: option<string>("class") ?? headerClass(headers) ?? DEFAULT_CLASS,
    deadlineMs: option<number>("deadline_ms") ?? headerDeadline(headers),
    priority: option("priority"),
    tenant,
  };
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
