/** POST /apply-template: the prompt that a conversation becomes, as llama.cpp's clients ask for it. @module */

import { CHAT_LIMITS } from "../../tokenizer/conversation.ts";
import { flag, list, object, unused } from "../schema/fields.ts";
import { dialect } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { model } from "./openai/fields.ts";
import { MESSAGE } from "./openai/message_fields.ts";
import { toMessages } from "./openai/messages.ts";

export const APPLY_TEMPLATE_BODY = object({ messages: list(MESSAGE, 1, CHAT_LIMITS.messages) }, {
  model,
  add_generation_prompt: flag(
    "End with the beginning of an answer; default: unless the last message is an assistant's.",
  ),
  enable_thinking: flag("For templates that know it."),
}, { others: unused(["stream", "max_tokens", "temperature"]) });

export const APPLY_TEMPLATE = dialect({
  summary: "The prompt that the model's chat template makes of a conversation",
  answer: "An object with the prompt as text, and its tokens",
  body: APPLY_TEMPLATE_BODY,
  example: { messages: [{ role: "user", content: "What is a KV cache?" }] },
  errorStatuses: ENGINE_ERRORS,
  async reply(fields, { model }) {
    const { text, tokens } = await model.renderChat(toMessages(fields.messages), {
      addGenerationPrompt: fields.add_generation_prompt,
      enableThinking: fields.enable_thinking,
    });
    return { prompt: text, tokens };
  },
});
