/** POST /v1/messages and /v1/messages/count_tokens: Anthropic's interface. @module */

import { MessageEvents, wholeMessage } from "./anthropic/answers.ts";
import { ANTHROPIC_ERRORS } from "./anthropic/errors.ts";
import { COUNT_BODY, MESSAGES_BODY } from "./anthropic/fields.ts";
import { toConversation } from "./anthropic/turns.ts";
import { structureOf, toolsOf } from "./anthropic/tools.ts";
import { planChat } from "./conversation/request.ts";
import { mannerOf } from "../../client/conversation/pieces.ts";
import { thinkingOf } from "./conversation/thinking.ts";
import { dialect, type Plan } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";

/** Statuses of a server that has no room are Anthropic's own. */
const ERRORS = [...ENGINE_ERRORS.filter((status) => status !== 503), 529];

export const MESSAGES = dialect({
  summary: "Answer a conversation, as Anthropic's clients ask for it",
  answer: "A message; with stream: true events from message_start to message_stop",
  body: MESSAGES_BODY,
  example: { max_tokens: 64, messages: [{ role: "user", content: "What is a KV cache?" }] },
  streams: true,
  errorStatuses: ERRORS,
  isPortable: true,
  errors: ANTHROPIC_ERRORS,
  plan(fields, asked): Plan {
    const { temperature, top_p: topP, top_k, max_tokens: maxTokens, stop_sequences: stop } = fields;
    const options = { temperature, topP, topK: top_k === -1 ? 0 : top_k, maxTokens, stop };
    const tools = toolsOf(fields), structure = structureOf(fields);
    const manner = mannerOf(asked.model.info, tools?.tools);
    return {
      ...planChat(
        { ...toConversation(fields), options, tools, structure, own: fields.kumi, urgency: fields },
        asked,
      ),
      whole: ([result]) => wholeMessage(asked, result, manner),
      events: fields.stream ? new MessageEvents(asked, manner) : undefined,
    };
  },
});

export const COUNT_TOKENS = dialect({
  summary: "Tokens of a conversation, as /v1/messages would ask it",
  answer: "An object with input_tokens",
  body: COUNT_BODY,
  example: { messages: [{ role: "user", content: "What is a KV cache?" }] },
  errorStatuses: ERRORS,
  errors: ANTHROPIC_ERRORS,
  async reply(fields, { model }) {
    const { messages, thinking } = toConversation(fields);
    const { shape } = thinkingOf(thinking);
    const tools = toolsOf(fields)?.tools;
    return { input_tokens: (await model.renderChat(messages, { ...shape, tools })).tokens.length };
  },
});
