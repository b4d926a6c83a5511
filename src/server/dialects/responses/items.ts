/** From the items of a Responses request to a conversation. @module */

import type { output } from "zod";
import type { ChatMessage } from "../../../protocol/request.ts";
import { badField } from "../../api_error.ts";
import type { FieldsOf } from "../../schema/read.ts";
import { requireMessages } from "../conversation/request.ts";
import type { ThinkingRequest } from "../conversation/thinking.ts";
import type { ITEM, RESPONSES_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof RESPONSES_BODY>;
type Item = output<typeof ITEM>;

/** The conversation, and what it says of how it becomes a prompt. Throws an ApiError, 400. */
export function toConversation(
  { input, instructions, reasoning }: Fields,
): { messages: ChatMessage[]; thinking: ThinkingRequest } {
  const messages: ChatMessage[] = instructions === undefined || instructions === ""
    ? []
    : [{ role: "system", content: instructions }];
  if (typeof input === "string") messages.push({ role: "user", content: input });
  else input.forEach((item, i) => addItem(messages, item, `input[${i}]`));
  requireMessages(messages, "input");
  return { messages, thinking: { effort: reasoning?.effort ?? undefined } };
}

/** Thoughts and calls are items of their own here, and belong to an assistant's message. */
function addItem(messages: ChatMessage[], item: Item, path: string): void {
  switch (item.type ?? "message") {
    case "reasoning":
      return addThoughts(messages, item);
    case "function_call": {
      const call = {
        id: needed(item.call_id, `${path}.call_id`),
        function: { name: needed(item.name, `${path}.name`), arguments: item.arguments ?? "{}" },
      };
      const message = assistantAtEnd(messages);
      message.tool_calls = [...message.tool_calls ?? [], call];
      return;
    }
    case "function_call_output":
      messages.push({
        role: "tool",
        content: textOf(needed(item.output, `${path}.output`), `${path}.output`),
        tool_call_id: needed(item.call_id, `${path}.call_id`),
      });
      return;
    default:
      addMessage(messages, item, path);
  }
}

function addMessage(messages: ChatMessage[], { role, content }: Item, path: string): void {
  const message = {
    role: needed(role, `${path}.role`),
    content: textOf(needed(content, `${path}.content`), `${path}.content`),
  };
  const last = messages.at(-1);
  // What an assistant thought comes before what it says.
  const isThought = message.role === "assistant" && last?.role === "assistant" && last.content === "" &&
    last.tool_calls === undefined && last.reasoning_content !== undefined;
  if (isThought) last.content = message.content;
  else messages.push(message);
}

function addThoughts(messages: ChatMessage[], { content, summary }: Item): void {
  const parts = Array.isArray(content) && content.length > 0 ? content : summary ?? [];
  const text = parts.map((part) => part.text ?? "").join("\n");
  if (text !== "") messages.push({ role: "assistant", content: "", reasoning_content: text });
}

/** The assistant's message that calls belong to. */
function assistantAtEnd(messages: ChatMessage[]): ChatMessage {
  const last = messages.at(-1);
  if (last?.role === "assistant") return last;
  const message: ChatMessage = { role: "assistant", content: "" };
  messages.push(message);
  return message;
}

function textOf(content: NonNullable<Item["content"] | Item["output"]>, path: string): string {
  if (typeof content === "string") return content;
  return content.map((part, i) => {
    const value = part.type === "refusal" && "refusal" in part ? part.refusal : part.text;
    return needed(value, `${path}[${i}].text`);
  }).join("\n");
}

function needed<T>(value: T | null | undefined, path: string): T {
  if (value === null || value === undefined) throw badField(path, `"${path}" is missing`, "missing_field");
  return value;
}
