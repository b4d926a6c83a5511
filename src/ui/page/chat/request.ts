/** From messages and settings to the body of a request. @module */

import { contentOf, type Turn } from "./conversation.ts";
import { type ChatSettings, parsed } from "./settings.ts";

export const CHAT_PATH = "/v1/chat/completions";
const SEEDS = 2 ** 32;

/** A seed for an answer that nobody has asked for before. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] % SEEDS;
}

/** The same turns, settings and seed make the same body, and that the same answer. */
export function chatBody(turns: readonly Turn[], asked: ChatSettings & { readonly seed: number }): object {
  const { model, system, sampling, maxTokens, seed, thinking } = asked;
  return {
    ...model === "" ? {} : { model },
    messages: [
      ...system.trim() === "" ? [] : [{ role: "system", content: system }],
      ...turns.map(messageOf),
    ],
    ...sampling,
    ...maxTokens === undefined ? {} : { max_tokens: maxTokens },
    seed,
    ...asked.class === "" ? {} : { class: asked.class },
    ...thinking === "auto" ? {} : { enable_thinking: thinking === "on" },
    ...formatOf(asked),
    ...toolsOf(asked),
    stream: true,
    stream_options: { include_usage: true },
  };
}

function messageOf(turn: Turn): object {
  const { role, text, calls = [], callId } = turn;
  if (role === "tool") return { role, content: text, tool_call_id: callId };
  if (role === "user") return { role, content: contentOf(turn) };
  if (calls.length === 0) return { role, content: text };
  return {
    role,
    content: text === "" ? null : text,
    tool_calls: calls.map(({ id, name, arguments: given }) => ({
      id,
      type: "function",
      function: { name, arguments: given },
    })),
  };
}

function formatOf({ format, schema }: ChatSettings): object {
  if (format === "text") return {};
  const value = parsed(schema);
  if (format === "json" || value === undefined) return { response_format: { type: "json_object" } };
  return {
    response_format: { type: "json_schema", json_schema: { name: "answer", schema: value, strict: true } },
  };
}

/** Either a list as the interface has it, or its functions alone. */
function toolsOf({ tools, format }: ChatSettings): object {
  const value = parsed(tools);
  if (!Array.isArray(value) || value.length === 0 || format !== "text") return {};
  return {
    tools: value.map((tool) =>
      tool !== null && typeof tool === "object" && !("function" in tool)
        ? { type: "function", function: tool }
        : tool
    ),
  };
}
