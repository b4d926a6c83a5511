/** From the fields of Ollama's requests to what the engine is asked. @module */

import type { output } from "zod";
import { parseDuration } from "../../../protocol/duration.ts";
import type { ChatMessage } from "../../../protocol/request.ts";
import type { FieldsOf, Given } from "../../schema/read.ts";
import type { ThinkingRequest } from "../conversation/thinking.ts";
import type { ToolRequest } from "../conversation/tools.ts";
import type { Structure } from "../openai/structure.ts";
import { declaration } from "../openai/tools.ts";
import { badField } from "../../api_error.ts";
import type { AnswerOptions } from "../conversation/portable.ts";
import { PENALTY_TOKENS_MAX } from "../openai/fields.ts";
import type { CHAT_BODY, OPTIONS } from "./fields.ts";

type Options = output<typeof OPTIONS>;
type Message = Exclude<FieldsOf<typeof CHAT_BODY>["messages"], undefined>[number];

/** How long a model stays, in ms; undefined: as usual. Throws an ApiError, 400. */
export function keepingMs(keepAlive: string | number | undefined): number | undefined {
  if (keepAlive === undefined) return undefined;
  try {
    return parseDuration(keepAlive);
  } catch (error) {
    throw badField("keep_alive", `"keep_alive" ${(error as Error).message}`);
  }
}

export function toMessages(messages: readonly Message[]): ChatMessage[] {
  return messages.map(
    ({ role, content, thinking, tool_calls, tool_name, name, tool_call_id }): ChatMessage => {
      const calls = (tool_calls ?? []).map(({ id, function: called }) => ({
        ...id ? { id } : {},
        function: { name: called.name, arguments: called.arguments ?? undefined },
      }));
      const named = tool_name ?? name;
      return {
        role,
        content: content ?? "",
        ...named ? { name: named } : {},
        ...thinking ? { reasoning_content: thinking } : {},
        ...calls.length === 0 ? {} : { tool_calls: calls },
        ...tool_call_id ? { tool_call_id } : {},
      };
    },
  );
}

/** Whether to think, and how much. */
export function thinkingFields(think: boolean | string | undefined): ThinkingRequest {
  return typeof think === "string" ? { effort: think } : { enabled: think };
}

/** The tools that an answer may call; undefined where there are none. */
export function toolsOf(
  { tools }: Pick<FieldsOf<typeof CHAT_BODY>, "tools">,
): ToolRequest | undefined {
  if (tools === undefined || tools.length === 0) return undefined;
  return { tools: tools.map((tool) => declaration(tool.function)), choice: "auto", parallel: true };
}

/** What the answer must be. Throws an ApiError, 400. */
export function structureOf(format: unknown): Structure | undefined {
  const field = "format";
  if (format === undefined || format === null || format === "") return undefined;
  if (format === "json") return { field, grammar: { kind: "schema", schema: { type: "object" } } };
  if (typeof format === "object") return { field, grammar: { kind: "schema", schema: format } };
  throw badField(
    field,
    `"format" must be "json" or a JSON Schema, current value is ${JSON.stringify(format)}`,
  );
}

/** Options in the library's names. Ollama writes −1 and −2 for "no limit", −1 for "any" and "all". */
export function toOptions(given: Options | undefined): AnswerOptions {
  const options = withoutNulls(given ?? {} as Options);
  const { num_predict = -1, seed = -1, top_k, repeat_last_n, stop } = options;
  return {
    temperature: options.temperature,
    topP: options.top_p,
    topK: top_k === -1 ? 0 : top_k,
    minP: options.min_p,
    seed: seed < 0 ? undefined : seed,
    maxTokens: num_predict < 0 ? undefined : num_predict,
    // Templates of clients have empty ones.
    stop: (typeof stop === "string" ? [stop] : stop ?? []).filter((text) => text !== ""),
    repeatPenalty: options.repeat_penalty,
    presencePenalty: options.presence_penalty,
    frequencyPenalty: options.frequency_penalty,
    penaltyTokens: repeat_last_n === -1 ? PENALTY_TOKENS_MAX : repeat_last_n,
  };
}

function withoutNulls<T extends object>(given: T): Given<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as Given<T>;
}
