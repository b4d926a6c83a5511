/** The fields of OpenAI's Responses. @module */

import { GENERATION } from "../../../protocol/options/generation.ts";
import { CHAT_LIMITS, CHAT_ROLES } from "../../../tokenizer/conversation.ts";
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
  UNUSED,
  unused,
  word,
} from "../../schema/fields.ts";
import { fieldOf } from "../../schema/of_option.ts";
import { model } from "../openai/fields.ts";
import { PART, TEXT_MAX } from "../openai/message_fields.ts";
import { OWN_CHAT_FIELDS } from "../own.ts";
import { URGENCY_FIELDS } from "../urgency.ts";
import { here, SERVER_TOOLS } from "../refusals.ts";

const PARTS_MAX = 1024;
const NAME_MAX = 256;
const content = text(TEXT_MAX);
const name = text(NAME_MAX);
const parts = choice("a string or a list of objects", [content, list(PART, 0, PARTS_MAX)]);

const STATELESS = "Answers are not kept by this server: send the whole conversation";

const THOUGHT = object({ type: word(["summary_text", "reasoning_text"]), text: content }, {});

export const ITEM = object({}, {
  type: tag(["message", "reasoning", "function_call", "function_call_output"], {
    item_reference: STATELESS,
    file_search_call: SERVER_TOOLS,
    web_search_call: SERVER_TOOLS,
    computer_call: SERVER_TOOLS,
    computer_call_output: SERVER_TOOLS,
    image_generation_call: SERVER_TOOLS,
    code_interpreter_call: SERVER_TOOLS,
    local_shell_call: SERVER_TOOLS,
    local_shell_call_output: SERVER_TOOLS,
    mcp_call: SERVER_TOOLS,
    mcp_list_tools: SERVER_TOOLS,
    compaction: STATELESS,
  }, "Only messages, thoughts and calls of functions are supported"),
  role: word(CHAT_ROLES),
  content: choice("a string or a list of objects", [
    content,
    list(choice("an object", [PART, THOUGHT]), 0, PARTS_MAX),
  ]),
  summary: list(THOUGHT, 0, PARTS_MAX),
  call_id: name,
  name,
  arguments: content,
  output: parts,
}, { others: unused(["id", "status", "encrypted_content", "phase", "parsed_arguments"]) });

const TOOL = object({
  type: tag(["function"], {
    file_search: SERVER_TOOLS,
    web_search: SERVER_TOOLS,
    web_search_preview: SERVER_TOOLS,
    code_interpreter: SERVER_TOOLS,
    computer_use_preview: SERVER_TOOLS,
    image_generation: SERVER_TOOLS,
    local_shell: SERVER_TOOLS,
    mcp: SERVER_TOOLS,
    custom: "Tools that take a text are not supported by this server",
  }, "Only functions are supported"),
  name: text(64, { min: 1 }),
}, {
  description: text(1 << 16),
  parameters: anything({ help: "A JSON Schema of the arguments." }),
}, { others: unused(["strict", "defer_loading"]) });

/** Those that change nothing, and those that ask for what is not there. */
const FOREIGN: Shape = {
  ...unused(["metadata", "store", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"]),
  ...unused(["service_tier", "max_tool_calls", "prompt_cache_options"]),
  include: list(word(["reasoning.encrypted_content", "message.output_text.logprobs"]), 0, 8),
  previous_response_id: unsupported(STATELESS),
  conversation: unsupported(STATELESS),
  prompt: here("Prompts that are kept under a name are not supported"),
  background: here("Answers in the background are not supported", { values: [false] }),
  truncation: here("Cutting conversations that are too long is not supported", { values: ["disabled"] }),
  moderation: here("Moderation is not supported"),
  context_management: here("Changes of the conversation by the server are not supported", { empty: true }),
};

export const RESPONSES_BODY = object({
  input: choice("a string or a list of objects", [content, list(ITEM, 1, CHAT_LIMITS.messages)], {
    help: "A user's text, or the conversation so far.",
  }),
}, {
  model,
  instructions: text(TEXT_MAX, { help: "What the model is told before the conversation." }),
  max_output_tokens: integer(1, GENERATION.maxTokens.kind.max, { help: "Most tokens of the answer." }),
  temperature: fieldOf(GENERATION.temperature),
  top_p: fieldOf(GENERATION.topP),
  top_logprobs: fieldOf(GENERATION.logprobs, { help: "Not given yet: taken where it is 0." }),
  text: object({}, {
    format: object({ type: word(["text", "json_object", "json_schema"]) }, {
      schema: anything({ help: "A JSON Schema that the answer fits." }),
    }, { others: unused(["name", "strict", "description"]) }),
  }, { others: unused(["verbosity"]), help: "The form of the answer." }),
  reasoning: object({}, {
    effort: word(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
  }, {
    others: unused(["summary", "generate_summary", "context"]),
    help: "How much the model thinks first, where its template knows that.",
  }),
  tools: list(TOOL, 0, 128, {
    help: "Functions that the answer may call; their arguments always fit their schemas.",
  }),
  tool_choice: choice('"none", "auto", "required" or a function', [
    word(["none", "auto", "required"]),
    object({ type: word(["function"]), name: text(64) }, {}),
  ], { help: "Whether the answer may call functions, must, or must call the one that is named." }),
  parallel_tool_calls: flag("Whether the answer may call several functions.", true),
  stream: flag("Send the answer as server-sent events.", false),
  stream_options: object({}, {}, { others: { include_obfuscation: UNUSED } }),
  ...OWN_CHAT_FIELDS,
  ...URGENCY_FIELDS,
}, { others: FOREIGN });
