/** POST /v1/chat/completions. @module */

import type { GenerationResult } from "../../client/generation.ts";
import type { TokenLogprob, TopLogprob } from "../../protocol/answer.ts";
import type { Prompt } from "../../protocol/request.ts";
import { REASONING_EFFORTS, TEMPLATE_WORDS } from "../../tokenizer/template_options.ts";
import { CHAT_LIMITS } from "../../tokenizer/conversation.ts";
import { badField } from "../api_error.ts";
import { choice, flag, list, number, object, record, text, word } from "../schema/fields.ts";
import type { FieldsOf } from "../schema/read.ts";
import type { ToolFormat } from "../../grammar/tools/format.ts";
import { AnswerReader, type Piece, readAnswer } from "../../client/conversation/pieces.ts";
import { formatNamed } from "../../client/conversation/calling.ts";
import { callId, callingOf } from "./conversation/tools.ts";
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
import { structureOf } from "./openai/structure.ts";
import { TOOL_FIELDS, toolsOf } from "./openai/tools.ts";
import { type GenerationPlan, planGeneration } from "./openai/plan.ts";
import { withExtraBody } from "./openai/unpack.ts";

const VARIABLES_MAX = 32;

export const CHAT_BODY = object({ messages: list(MESSAGE, 1, CHAT_LIMITS.messages) }, {
  ...GENERATION_FIELDS,
  ...TOOL_FIELDS,
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
    const tools = toolsOf(fields);
    const plan = planChat(fields, asked, tools);
    const format = tools && formatNamed(asked.model.info.toolCalls);
    return answering(plan, new ChatAnswers(asked, plan, format));
  },
});

/** Throws an ApiError, 400. */
export function planChat(fields: ChatFields, asked: Asked, tools = toolsOf(fields)): GenerationPlan {
  if (fields.top_logprobs && fields.logprobs !== true) {
    throw badField("top_logprobs", '"top_logprobs" needs "logprobs": true');
  }
  const logprobs = fields.logprobs === true ? fields.top_logprobs ?? 0 : undefined;
  if (tools === undefined) return planGeneration(fields, [toConversation(fields)], { logprobs }, asked);
  const structure = structureOf(fields);
  if (structure !== undefined) {
    throw badField(
      structure.field,
      `"${structure.field}" together with "tools" is not supported by this server`,
      "unsupported_value",
    );
  }
  const { shape, options } = callingOf(tools, asked.model.info.toolCalls);
  const plan = planGeneration(fields, [{ ...toConversation(fields), ...shape }], { logprobs }, asked);
  const works = plan.works.map((work) => ({
    ...work,
    options: { ...work.options, ...options },
    grammarField: "tools",
  }));
  return { ...plan, works };
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
  readonly #id: string;
  /** How calls are written, where there are tools. */
  readonly #format?: ToolFormat;
  readonly #readers = new Map<number, AnswerReader>();
  /** Parts say that the usage comes later. */
  readonly #null: { usage?: null };

  constructor(
    asked: Asked,
    plan: Pick<GenerationPlan, "n" | "promptTop" | "includeUsage">,
    format?: ToolFormat,
  ) {
    this.#id = asked.id;
    this.#head = headOf(asked, "chatcmpl", "chat.completion");
    this.#chunkHead = { ...this.#head, object: "chat.completion.chunk" };
    this.#plan = plan;
    this.#format = format;
    this.#null = plan.includeUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[]): object {
    const { n, promptTop } = this.#plan;
    const choices = results.map((result, index) => {
      const message = this.#message(result, index);
      return {
        index,
        message,
        logprobs: chatLogprobs(result.logprobs),
        ...calledEnding(result, "tool_calls" in message),
      };
    });
    const prompt = promptField(results, 0, n, promptTop);
    return { ...this.#head, choices, usage: usageOf(results, n), ...prompt };
  }

  #message(result: GenerationResult, answer: number) {
    const role = "assistant", refusal = null;
    if (this.#format === undefined) return { role, content: result.text, refusal };
    const pieces = readAnswer(result, this.#format);
    const text = pieces.flatMap((piece) => piece.kind === "text" ? [piece.text] : []).join("");
    const calls = pieces.flatMap((piece) =>
      piece.kind === "call"
        ? [{
          id: callId(this.#id, answer, piece.index),
          type: "function",
          function: { name: piece.name, arguments: piece.arguments },
        }]
        : []
    );
    if (calls.length === 0) return { role, content: text, refusal };
    return { role, content: text.trim() === "" ? null : text, refusal, tool_calls: calls };
  }

  first(index: number): object {
    return this.#chunk(index, { role: "assistant", content: "", refusal: null });
  }

  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): object | object[] {
    if (this.#format === undefined) return this.#chunk(index, { content: text }, chatLogprobs(logprobs));
    const deltas = this.#readerOf(index).push(text).map((piece) => this.#delta(index, piece));
    const all = deltas.length === 0 && logprobs?.length ? [{}] : deltas;
    return all.map((delta, i) => this.#chunk(index, delta, i === 0 ? chatLogprobs(logprobs) : null));
  }

  last(index: number, result: GenerationResult): object | object[] {
    const reader = this.#readers.get(index);
    const rest = reader?.end().map((piece) => this.#chunk(index, this.#delta(index, piece))) ?? [];
    return [...rest, this.#chunk(index, {}, null, calledEnding(result, reader?.hasCalls ?? false))];
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#chunkHead, choices: [], usage: usageOf(results, this.#plan.n) };
  }

  #readerOf(index: number): AnswerReader {
    const reader = this.#readers.get(index) ?? new AnswerReader(this.#format);
    this.#readers.set(index, reader);
    return reader;
  }

  #delta(answer: number, piece: Piece): object {
    if (piece.kind === "text") return { content: piece.text };
    const { index } = piece;
    const call = piece.kind === "call"
      ? {
        index,
        id: callId(this.#id, answer, index),
        type: "function",
        function: { name: piece.name, arguments: "" },
      }
      : { index, function: { arguments: piece.text } };
    return { tool_calls: [call] };
  }

  #chunk(index: number, delta: object, logprobs: unknown = null, end: object = { finish_reason: null }) {
    return { ...this.#chunkHead, choices: [{ index, delta, logprobs, ...end }], ...this.#null };
  }
}

/** Clients wait for calls where the reason is that there are some. */
function calledEnding(result: GenerationResult, hasCalls: boolean) {
  const end = ending(result);
  return hasCalls && end.finish_reason === "stop" ? { ...end, finish_reason: "tool_calls" } : end;
}
