/** POST /v1/responses: OpenAI's newer interface, of which nothing is kept. @module */

import { badField } from "../api_error.ts";
import { planChat } from "./conversation/request.ts";
import { mannerOf } from "../../client/conversation/pieces.ts";
import { dialect, type Plan } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { withExtraBody } from "./openai/unpack.ts";
import { ResponseEvents, wholeResponse } from "./responses/answers.ts";
import { RESPONSES_BODY } from "./responses/fields.ts";
import { toConversation } from "./responses/items.ts";
import { structureOf, toolsOf } from "./responses/tools.ts";

export const RESPONSES = dialect({
  summary: "Answer a conversation, as clients of OpenAI's Responses ask for it; nothing is kept",
  answer: "A response; with stream: true events from response.created to response.completed",
  body: RESPONSES_BODY,
  example: { input: "What is a KV cache?", max_output_tokens: 64 },
  streams: true,
  errorStatuses: ENGINE_ERRORS,
  isPortable: true,
  unpack: withExtraBody,
  plan(fields, asked): Plan {
    const { temperature, top_p: topP, max_output_tokens: maxTokens, top_logprobs } = fields;
    if (top_logprobs) {
      throw badField(
        "top_logprobs",
        `Log-probabilities are not supported here by this server (/v1/chat/completions has them): "top_logprobs" is ${top_logprobs}`,
        "unsupported_value",
      );
    }
    const tools = toolsOf(fields);
    const manner = mannerOf(asked.model.info, tools?.tools);
    const options = { temperature, topP, maxTokens };
    const structure = structureOf(fields);
    return {
      ...planChat(
        { ...toConversation(fields), options, tools, structure, own: fields.kumi, urgency: fields },
        asked,
      ),
      whole: ([result]) => wholeResponse(asked, fields, result, manner),
      events: fields.stream ? new ResponseEvents(asked, fields, manner) : undefined,
    };
  },
});
