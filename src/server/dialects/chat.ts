/** POST /v1/chat/completions. @module */

import type { GenerationResult } from "../../client/generation.ts";
import type { TokenLogprob, TopLogprob } from "../../protocol/answer.ts";
import type { Prompt } from "../../protocol/request.ts";
import { REASONING_EFFORTS, TEMPLATE_WORDS } from "../../tokenizer/template_options.ts";
import { CHAT_LIMITS } from "../../tokenizer/conversation.ts";
import { badField } from "../api_error.ts";
import { choice, flag, list, number, object, record, text, word } from "../schema/fields.ts";
import type { FieldsOf } from "../schema/read.ts";
import { type Asked, dialect, type Plan } from "./dialect.ts";
import {
  answering,
  type Chunks,
  ending,
  ENGINE_ERRORS,
  headOf,
  promptField,
  usageOf,
} from "./openai/answers.ts";
import { finite } from "./openai/completion_logprobs.ts";
import { alternatives, GENERATION_FIELDS, limit } from "./openai/fields.ts";
import { FOREIGN_CHAT_FIELDS, FOREIGN_FIELDS } from "./openai/foreign_fields.ts";
import { MESSAGE } from "./openai/message_fields.ts";
import { toMessages } from "./openai/messages.ts";
import { type GenerationPlan, planGeneration } from "./openai/plan.ts";
import { withExtraBody } from "./openai/unpack.ts";

const VARIABLES_MAX = 32;

export const CHAT_BODY = object({ messages: list(MESSAGE, 1, CHAT_LIMITS.messages) }, {
  ...GENERATION_FIELDS,
  max_completion_tokens: limit("The newer name of max_tokens."),
  logprobs: flag("Give the log-probability of each token.", false),
  top_logprobs: alternatives("And of so many likeliest alternatives; only with `logprobs`."),
  chat_template_kwargs: record(
    "names",
    choice("true or false or a number or a string", [
      flag(),
      number(-1e9, 1e9),
      word(TEMPLATE_WORDS),
    ]).nullable(),
    VARIABLES_MAX,
    {
      help:
        "Variables for chat templates that know them, such as enable_thinking. Texts would be a part of the prompt: only these words.",
    },
  ),
  enable_thinking: flag("As in chat_template_kwargs."),
  reasoning_effort: text(16, {
    help: "low, medium or high, for chat templates that know it; none: enable_thinking is false, else true.",
  }),
  continue_final_message: flag(
    "The answer goes on with the last message instead of a new one. Default: with an assistant's.",
  ),
  add_generation_prompt: flag(
    "true: a new message of the assistant after the last one, whose ever that is; false: what the template writes without.",
  ),
}, { others: { ...FOREIGN_FIELDS, ...FOREIGN_CHAT_FIELDS } });

type ChatFields = FieldsOf<typeof CHAT_BODY>;

export const CHAT = dialect({
  summary: "Answer a conversation, written in the model's own chat template",
  answer: "A chat.completion; with stream: true chat.completion.chunk events and [DONE]",
  body: CHAT_BODY,
  example: { messages: [{ role: "user", content: "What is a KV cache?" }], max_tokens: 64 },
  streams: true,
  errorStatuses: ENGINE_ERRORS,
  unpack: withExtraBody,
  plan(fields, asked): Plan {
    const plan = planChat(fields, asked);
    const answers = new ChatAnswers(asked, plan);
    return answering(plan, answers);
  },
});

/** Throws an ApiError, 400. */
export function planChat(fields: ChatFields, asked: Asked): GenerationPlan {
  if (fields.top_logprobs && fields.logprobs !== true) {
    throw badField("top_logprobs", '"top_logprobs" needs "logprobs": true');
  }
  const logprobs = fields.logprobs === true ? fields.top_logprobs ?? 0 : undefined;
  return planGeneration(fields, [toConversation(fields)], { logprobs }, asked);
}

function toConversation(fields: ChatFields): Prompt {
  const { messages, reasoning_effort, add_generation_prompt, chat_template_kwargs: variables } = fields;
  // A client may mark the last message as the beginning of the answer.
  const hasPrefix = messages.at(-1)!.prefix === true;
  const continueFinalMessage = fields.continue_final_message ?? (hasPrefix || undefined);
  if (continueFinalMessage && add_generation_prompt) {
    throw badField(
      "continue_final_message",
      'Cannot set both "continue_final_message" and "add_generation_prompt" to true: an answer goes on with a message or begins one',
    );
  }
  return {
    messages: toMessages(messages),
    // An effort asks for thoughts, or for none: many templates know only whether.
    enableThinking: fields.enable_thinking ??
      (reasoning_effort === undefined ? undefined : reasoning_effort !== "none"),
    // Others are taken and change nothing.
    reasoningEffort: REASONING_EFFORTS.find((each) => each === reasoning_effort),
    continueFinalMessage,
    addGenerationPrompt: add_generation_prompt,
    templateVariables: variables && Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => value === null ? [] : [[name, value]]),
    ),
  };
}

function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined) {
  if (logprobs === undefined) return null;
  const named = ({ text, logprob, bytes }: TopLogprob) => ({ token: text, logprob: finite(logprob), bytes });
  return {
    content: logprobs.map((each) => ({ ...named(each), top_logprobs: each.top.map(named) })),
    refusal: null,
  };
}

/** Answers to one request. */
export class ChatAnswers implements Chunks {
  readonly #head: ReturnType<typeof headOf>;
  readonly #chunkHead: ReturnType<typeof headOf>;
  readonly #plan: Pick<GenerationPlan, "n" | "promptTop">;
  /** Parts say that the usage comes later. */
  readonly #null: { usage?: null };

  constructor(asked: Asked, plan: Pick<GenerationPlan, "n" | "promptTop" | "includeUsage">) {
    this.#head = headOf(asked, "chatcmpl", "chat.completion");
    this.#chunkHead = { ...this.#head, object: "chat.completion.chunk" };
    this.#plan = plan;
    this.#null = plan.includeUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[]): object {
    const { n, promptTop } = this.#plan;
    const choices = results.map((result, index) => ({
      index,
      message: { role: "assistant", content: result.text, refusal: null },
      logprobs: chatLogprobs(result.logprobs),
      ...ending(result),
    }));
    const prompt = promptField(results, 0, n, promptTop);
    return { ...this.#head, choices, usage: usageOf(results, n), ...prompt };
  }

  first(index: number): object {
    return this.#chunk(index, { role: "assistant", content: "", refusal: null });
  }

  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): object {
    return this.#chunk(index, { content: text }, chatLogprobs(logprobs));
  }

  last(index: number, result: GenerationResult): object {
    return this.#chunk(index, {}, null, ending(result));
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#chunkHead, choices: [], usage: usageOf(results, this.#plan.n) };
  }

  #chunk(index: number, delta: object, logprobs: unknown = null, end: object = { finish_reason: null }) {
    return { ...this.#chunkHead, choices: [{ index, delta, logprobs, ...end }], ...this.#null };
  }
}
