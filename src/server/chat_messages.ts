/** From the messages of a checked request to a conversation. @module */

import type { ChatMessage } from "../protocol/request.ts";
import type { ToolCall } from "../tokenizer/conversation.ts";
import type { Checked } from "./api/validate.ts";
import { badField } from "./api_error.ts";

interface Part {
  type: string;
  text?: string;
  refusal?: string;
}

interface Called {
  id?: string;
  function?: { name: string; arguments?: unknown };
  custom?: { name: string; input?: string };
}

/** Throws an ApiError, 400. */
export function toMessages(messages: readonly Checked[]): ChatMessage[] {
  return messages.map((message, i) => toMessage(message, `messages[${i}]`));
}

/** Whether a client has marked the last message as the beginning of the answer. */
export function hasPrefixMark(messages: readonly Checked[]): boolean {
  return messages.at(-1)?.prefix === true;
}

function toMessage(fields: Checked, path: string): ChatMessage {
  const role = fields.role as string;
  const reasoning = fields.reasoning_content ?? fields.reasoning;
  const calls = [
    ...(fields.tool_calls as Called[] | undefined ?? []).map((call, i) =>
      toCall(call, `${path}.tool_calls[${i}]`)
    ),
    ...fields.function_call === undefined
      ? []
      : [toCall({ function: fields.function_call as Called["function"] }, path)],
  ];
  return {
    // The older name of a tool's answer.
    role: role === "function" ? "tool" : role,
    content: toText(fields, path),
    ...fields.name === undefined ? {} : { name: fields.name as string },
    ...reasoning === undefined ? {} : { reasoning_content: reasoning as string },
    ...calls.length === 0 ? {} : { tool_calls: calls },
    ...fields.tool_call_id === undefined ? {} : { tool_call_id: fields.tool_call_id as string },
  };
}

function toText({ role, content, refusal }: Checked, path: string): string {
  if (typeof content === "string") return content;
  if (content !== undefined) {
    return (content as Part[]).map((part, i) => textOf(part, `${path}.content[${i}]`)).join("\n");
  }
  if (role === "assistant") return refusal as string | undefined ?? "";
  throw badField(`${path}.content`, `"${path}.content" is missing`, "missing_field");
}

function textOf({ type, text, refusal }: Part, path: string): string {
  const name = type === "refusal" ? "refusal" : "text";
  const value = name === "refusal" ? refusal : text;
  if (value === undefined) throw badField(`${path}.${name}`, `"${path}.${name}" is missing`, "missing_field");
  return value;
}

function toCall({ id, function: called, custom }: Called, path: string): ToolCall {
  const named = called ?? (custom && { name: custom.name, arguments: { input: custom.input ?? "" } });
  if (named === undefined) throw badField(path, `"${path}.function" is missing`, "missing_field");
  return { ...id === undefined ? {} : { id }, function: { name: named.name, arguments: named.arguments } };
}
