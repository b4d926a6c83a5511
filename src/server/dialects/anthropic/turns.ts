/** From the turns of Anthropic's requests to a conversation. @module */

import type { ChatMessage } from "../../../protocol/request.ts";
import type { ThinkingRequest } from "../conversation/thinking.ts";
import type { FieldsOf } from "../../schema/read.ts";
import { badField } from "../../api_error.ts";
import type { COUNT_BODY } from "./fields.ts";

type Fields = FieldsOf<typeof COUNT_BODY>;
type Turn = Fields["messages"][number];
type Block = Exclude<Turn["content"], string>[number];

/** The conversation, and what it says of how it becomes a prompt. Throws an ApiError, 400. */
export function toConversation(
  { system, messages, thinking, output_config }: Fields,
): { messages: ChatMessage[]; thinking: ThinkingRequest } {
  const first = textOf(system ?? "", "system");
  return {
    messages: [
      ...first === "" ? [] : [{ role: "system", content: first }],
      ...messages.flatMap((turn, i) => toMessages(turn, `messages[${i}]`)),
    ],
    thinking: {
      enabled: thinking === undefined ? undefined : thinking.type !== "disabled",
      effort: output_config?.effort ?? undefined,
      budget: thinking?.type === "enabled" ? thinking.budget_tokens ?? undefined : undefined,
    },
  };
}

/** Texts in a row are joined by line ends, as they are in other dialects. */
function textOf(content: string | readonly { readonly text?: string | null }[], path: string): string {
  if (typeof content === "string") return content;
  return content.map(({ text }, i) => needed(text, `${path}[${i}].text`)).join("\n");
}

/** Results of tools are messages of their own, before what else a turn says. */
function toMessages({ role, content }: Turn, path: string): ChatMessage[] {
  if (typeof content === "string") return [{ role, content }];
  const blocks = content.map((block, i) => ({ block, path: `${path}.content[${i}]` }));
  const of = (type: Block["type"]) => blocks.filter(({ block }) => block.type === type);
  const results = of("tool_result").map(({ block, path }): ChatMessage => ({
    role: "tool",
    content: textOf(block.content ?? "", `${path}.content`),
    tool_call_id: needed(block.tool_use_id, `${path}.tool_use_id`),
  }));
  const texts = of("text").map(({ block, path }) => needed(block.text, `${path}.text`));
  const thoughts = of("thinking").map(({ block, path }) => needed(block.thinking, `${path}.thinking`));
  const calls = of("tool_use").map(({ block, path }) => ({
    id: needed(block.id, `${path}.id`),
    function: { name: needed(block.name, `${path}.name`), arguments: block.input ?? {} },
  }));
  if (results.length > 0 && texts.length === 0) return results;
  return [...results, {
    role,
    content: texts.join("\n"),
    ...thoughts.length === 0 ? {} : { reasoning_content: thoughts.join("\n") },
    ...calls.length === 0 ? {} : { tool_calls: calls },
  }];
}

function needed<T>(value: T | null | undefined, path: string): T {
  if (value === null || value === undefined) throw badField(path, `"${path}" is missing`, "missing_field");
  return value;
}
