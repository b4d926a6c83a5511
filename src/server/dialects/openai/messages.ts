/** From the messages of a checked request to a conversation. @module */

import type { output } from "zod";
import type { ChatMessage } from "../../../protocol/request.ts";
import type { ToolCall } from "../../../tokenizer/conversation.ts";
import { badField } from "../../api_error.ts";
import type { MESSAGE, PART, TOOL_CALL } from "./message_fields.ts";

type MessageFields = output<typeof MESSAGE>;
type Part = output<typeof PART>;
type Call = output<typeof TOOL_CALL>;

/** Throws an ApiError, 400. */
export function toMessages(messages: readonly MessageFields[]): ChatMessage[] {
  return messages.map((message, i) => toMessage(message, `messages[${i}]`));
}

function toMessage(fields: MessageFields, path: string): ChatMessage {
  const { role, name, tool_call_id, tool_calls, function_call } = fields;
  const reasoning = fields.reasoning_content ?? fields.reasoning;
  const calls = (tool_calls ?? []).map((call, i) => toCall(call, `${path}.tool_calls[${i}]`));
  if (given(function_call)) calls.push(toCall({ function: function_call }, path));
  return {
    // The older name of a tool's answer.
    role: role === "function" ? "tool" : role,
    content: toText(fields, path),
    ...given(name) ? { name } : {},
    ...given(reasoning) ? { reasoning_content: reasoning } : {},
    ...calls.length === 0 ? {} : { tool_calls: calls },
    ...given(tool_call_id) ? { tool_call_id } : {},
  };
}

function toText({ role, content, refusal }: MessageFields, path: string): string {
  if (given(content)) return contentText(content, `${path}.content`);
  if (role === "assistant") return refusal ?? "";
  throw missing(`${path}.content`);
}

/** A text, or the texts of its parts, joined by line ends. Throws an ApiError, 400. */
export function contentText(content: string | readonly Part[], path: string): string {
  if (typeof content === "string") return content;
  return content.map((part, i) => textOf(part, `${path}[${i}]`)).join("\n");
}

function textOf({ type, text, refusal }: Part, path: string): string {
  const name = type === "refusal" ? "refusal" : "text";
  const value = name === "refusal" ? refusal : text;
  if (!given(value)) throw missing(`${path}.${name}`);
  return value;
}

function toCall({ id, function: called, custom }: Call, path: string): ToolCall {
  const named = called ?? (custom && { name: custom.name, arguments: { input: custom.input ?? "" } });
  if (!given(named)) throw missing(`${path}.function`, path);
  return {
    ...given(id) ? { id } : {},
    function: { name: named.name, arguments: named.arguments ?? undefined },
  };
}

function given<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function missing(what: string, param = what) {
  return badField(param, `"${what}" is missing`, "missing_field");
}
