/** The fields of Anthropic's requests. @module */

import { GENERATION } from "../../../protocol/options/generation.ts";
import { CHAT_LIMITS } from "../../../tokenizer/conversation.ts";
import {
  anything,
  choice,
  flag,
  integer,
  list,
  object,
  type Shape,
  tag,
  text,
  unsupported,
  unused,
  word,
} from "../../schema/fields.ts";
import { fieldOf } from "../../schema/of_option.ts";
import { model } from "../openai/fields.ts";
import { TEXT_MAX } from "../openai/message_fields.ts";
import { OWN_CHAT_FIELDS } from "../own.ts";
import { URGENCY_FIELDS } from "../urgency.ts";
import { FILES, IMAGES, SERVER_TOOLS } from "../refusals.ts";

const BLOCKS_MAX = 1024;
const NAME_MAX = 256;
const content = text(TEXT_MAX);
const name = text(NAME_MAX);

const TEXT_BLOCK = object({
  type: tag(["text"], { image: IMAGES, document: FILES }, "Only texts are supported"),
}, {
  text: content,
}, { others: unused(["cache_control", "citations"]) });

const BLOCK = object({
  type: tag(["text", "thinking", "redacted_thinking", "tool_use", "tool_result"], {
    image: IMAGES,
    document: FILES,
    container_upload: FILES,
    search_result: "Search results are not supported by this server",
    server_tool_use: SERVER_TOOLS,
    web_search_tool_result: SERVER_TOOLS,
    mcp_tool_use: SERVER_TOOLS,
    mcp_tool_result: SERVER_TOOLS,
  }, "Only texts are supported"),
}, {
  text: content,
  thinking: content,
  id: name,
  name,
  input: anything(),
  tool_use_id: name,
  content: choice("a string or a list of objects", [content, list(TEXT_BLOCK, 0, BLOCKS_MAX)]),
}, { others: unused(["cache_control", "citations", "signature", "data", "is_error", "caller"]) });

export const TURN = object({
  role: word(["user", "assistant", "system"]),
  content: choice("a string or a list of objects", [content, list(BLOCK, 0, BLOCKS_MAX)], {
    help: "A text, or a list of blocks: texts, thinking, and calls of tools with their results.",
  }),
}, {});

const FORMAT = object({ type: word(["json_schema"]) }, {
  schema: anything({ help: "A JSON Schema that the answer fits." }),
}, {
  others: unused(["name"]),
  help: "The form of the answer; together with tools, of one that calls none.",
});

/** What the conversation is made of. */
export const CONVERSATION_FIELDS = {
  system: choice("a string or a list of objects", [content, list(TEXT_BLOCK, 0, BLOCKS_MAX)], {
    help: "What the model is told before the conversation.",
  }),
  thinking: object({ type: word(["enabled", "disabled", "adaptive"]) }, {
    budget_tokens: integer(1, 2 ** 31, { help: "Most tokens of thoughts; then the answer begins." }),
  }, {
    others: unused(["display"]),
    help: "Whether the model thinks first, where its template knows that, and for how long.",
  }),
  output_config: object({}, {
    effort: word(["none", "minimal", "low", "medium", "high", "xhigh", "max"], {
      help: "How much the model thinks, where its template knows that.",
    }),
    format: FORMAT,
  }, { others: unused(["task_budget"]) }),
  output_format: FORMAT,
};

const TOOL = object({ name: text(64, { min: 1 }) }, {
  type: tag(["custom"], {}, "Only functions of the caller's own are supported"),
  description: text(1 << 16),
  input_schema: anything({ help: "A JSON Schema of the function's input." }),
}, {
  others: unused([
    "cache_control",
    "strict",
    "eager_input_streaming",
    "defer_loading",
    "allowed_callers",
    "input_examples",
  ]),
});

/** Those that change nothing, and those that ask for what is not there. */
export const FOREIGN: Shape = {
  ...unused(["metadata", "service_tier", "betas", "inference_geo", "cache_control", "speed"]),
  mcp_servers: unsupported(SERVER_TOOLS, { empty: true }),
  container: unsupported("Containers are not supported by this server"),
  thread: unsupported("Conversations are not kept by this server: send all of it"),
  context_management: unsupported(
    "Changes of the conversation by the server are not supported by this server",
    {
      empty: true,
    },
  ),
};

const TOOL_FIELDS = {
  tools: list(TOOL, 0, 128, {
    help: "Functions that the answer may call; their inputs always fit their schemas.",
  }),
  tool_choice: object({ type: word(["auto", "any", "tool", "none"]) }, {
    name: text(64),
    disable_parallel_tool_use: flag("Whether the answer may call one function at most.", false),
  }, { help: "Whether the answer may call functions, must call one, or the one that is named." }),
};

export const MESSAGES_BODY = object({
  messages: list(TURN, 1, CHAT_LIMITS.messages),
  max_tokens: integer(1, GENERATION.maxTokens.kind.max, { help: "Most tokens of the answer." }),
}, {
  model,
  ...CONVERSATION_FIELDS,
  ...TOOL_FIELDS,
  temperature: fieldOf(GENERATION.temperature),
  top_p: fieldOf(GENERATION.topP),
  top_k: fieldOf(GENERATION.topK),
  stop_sequences: list(text(256, { min: 1 }), 0, 16, {
    help: "The answer ends before the first of these texts.",
  }),
  stream: flag("Send the answer as server-sent events.", false),
  ...OWN_CHAT_FIELDS,
  ...URGENCY_FIELDS,
}, { others: FOREIGN });

export const COUNT_BODY = object({ messages: list(TURN, 1, CHAT_LIMITS.messages) }, {
  model,
  ...CONVERSATION_FIELDS,
  ...TOOL_FIELDS,
}, { others: FOREIGN });
