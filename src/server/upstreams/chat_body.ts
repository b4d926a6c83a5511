/** A conversation of any dialect as OpenAI's interface has it. @module */

import type { ChatMessage } from "../../protocol/request.ts";
import type { GrammarSource } from "../../grammar/mod.ts";
import type { AnswerOptions, PortableChat } from "../dialects/conversation/portable.ts";

/** OpenAI's name of each option that all servers know, and other servers' names of the rest. */
const NAMES: Readonly<Record<keyof AnswerOptions, string>> = {
  temperature: "temperature",
  topP: "top_p",
  topK: "top_k",
  minP: "min_p",
  seed: "seed",
  maxTokens: "max_tokens",
  stop: "stop",
  repeatPenalty: "repetition_penalty",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  penaltyTokens: "repeat_last_n",
  logprobs: "top_logprobs",
};

/** Whether other servers can be asked for it: forms of answers other than JSON have no common name. */
export function isPortable({ grammar, options }: PortableChat): boolean {
  return (grammar === undefined || grammar.kind === "schema") && options.logprobs === undefined;
}

/** The body of a request for a stream. */
export function chatBody(chat: PortableChat, model: string): Record<string, unknown> {
  const { messages, options, tools, grammar, effort } = chat;
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined || Array.isArray(value) && value.length === 0
      ? []
      : [[NAMES[name as keyof AnswerOptions], value]]
  );
  return {
    model,
    messages: messages.map(toMessage),
    ...Object.fromEntries(given),
    ...tools === undefined ? {} : {
      tools: tools.tools,
      tool_choice: typeof tools.choice === "string"
        ? tools.choice
        : { type: "function", function: { name: tools.choice.name } },
      ...tools.parallel ? {} : { parallel_tool_calls: false },
    },
    ...grammar === undefined ? {} : { response_format: formatOf(grammar) },
    ...effort === undefined || effort === "none" ? {} : { reasoning_effort: effort },
    stream: true,
    stream_options: { include_usage: true },
  };
}

function toMessage(message: ChatMessage, i: number): object {
  const { reasoning_content: _, tool_calls, ...rest } = message;
  if (tool_calls === undefined || tool_calls.length === 0) return rest;
  const calls = tool_calls.map(({ id, function: called }, k) => ({
    id: id ?? `call_${i}_${k}`,
    type: "function",
    function: {
      name: called.name,
      arguments: typeof called.arguments === "string"
        ? called.arguments
        : JSON.stringify(called.arguments ?? {}),
    },
  }));
  return { ...rest, tool_calls: calls };
}

function formatOf(grammar: GrammarSource): object {
  const schema = grammar.kind === "schema" ? grammar.schema : undefined;
  if (JSON.stringify(schema) === '{"type":"object"}') return { type: "json_object" };
  return { type: "json_schema", json_schema: { name: "answer", schema, strict: true } };
}
