/** POST /v1/chat/completions. @module */

import type { Prompt } from "../../protocol/request.ts";
import { TEMPLATE_WORDS } from "../../tokenizer/template_options.ts";
import { CHAT_LIMITS } from "../../tokenizer/conversation.ts";
import { badField } from "../api_error.ts";
import { choice, flag, list, number, object, record, word } from "../schema/fields.ts";
import type { FieldsOf } from "../schema/read.ts";
import { formOf } from "./conversation/form.ts";
import { mannerOf } from "../../client/conversation/pieces.ts";
import { thinkingOf } from "./conversation/thinking.ts";
import type { ToolRequest } from "./conversation/tools.ts";
import { type Asked, dialect, type Plan } from "./dialect.ts";
import { answering, ENGINE_ERRORS } from "./openai/answers.ts";
import { ChatAnswers, type Reading } from "./openai/chat_answers.ts";
import { alternatives, GENERATION_FIELDS, limit } from "./openai/fields.ts";
import { FOREIGN_CHAT_FIELDS, FOREIGN_FIELDS } from "./openai/foreign_fields.ts";
import { MESSAGE } from "./openai/message_fields.ts";
import { toMessages } from "./openai/messages.ts";
import { structureOf } from "./openai/structure.ts";
import { THINKING_FIELDS, thinkingFields } from "./openai/thinking.ts";
import { TOOL_FIELDS, toolsOf } from "./openai/tools.ts";
import { type GenerationPlan, planGeneration } from "./openai/plan.ts";
import { OWN_CHAT_FIELDS } from "./own.ts";
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
  ...THINKING_FIELDS,
  ...OWN_CHAT_FIELDS,
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
  forwards: "/chat/completions",
  unpack: withExtraBody,
  plan(fields, asked): Plan {
    const tools = toolsOf(fields);
    const plan = planChat(fields, asked, tools);
    return answering(plan, new ChatAnswers(asked, plan, readingOf(fields, tools, asked)));
  },
});

/** Throws an ApiError, 400. */
export function planChat(fields: ChatFields, asked: Asked, tools = toolsOf(fields)): GenerationPlan {
  if (fields.top_logprobs && fields.logprobs !== true) {
    throw badField("top_logprobs", '"top_logprobs" needs "logprobs": true');
  }
  const logprobs = fields.logprobs === true ? fields.top_logprobs ?? 0 : undefined;
  const form = formOf(tools, structureOf(fields), asked.model.info);
  const thinking = thinkingOf(thinkingFields(fields), fields.kumi);
  const conversation = { ...toConversation(fields), ...thinking.shape, ...form.shape };
  const plan = planGeneration(fields, [conversation], { logprobs }, asked);
  const works = plan.works.map((work) => ({
    ...work,
    options: { ...work.options, ...thinking.options, ...form.options },
    grammarField: form.field,
  }));
  return { ...plan, works };
}

/** How answers are read: thoughts are told apart unless they are not wanted so. */
function readingOf(
  { include_reasoning, reasoning_format, reasoning }: ChatFields,
  tools: ToolRequest | undefined,
  { model }: Asked,
): Reading {
  const { thoughts, ...others } = mannerOf(model.info, tools?.tools);
  return {
    ...others,
    ...reasoning_format === "none" ? {} : { thoughts },
    hidesThoughts: include_reasoning === false || reasoning?.exclude === true,
  };
}

function toConversation(fields: ChatFields): Prompt {
  const { messages, add_generation_prompt, chat_template_kwargs: variables } = fields;
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
    continueFinalMessage,
    addGenerationPrompt: add_generation_prompt,
    templateVariables: variables && Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => value === null ? [] : [[name, value]]),
    ),
  };
}
