/** From the fields of Ollama's requests to what the engine is asked. @module */

import type { output } from "zod";
import type { ChatMessage, PromptShape } from "../../../protocol/request.ts";
import { REASONING_EFFORTS } from "../../../tokenizer/template_options.ts";
import type { FieldsOf, Given } from "../../schema/read.ts";
import type { AnswerOptions } from "../conversation/request.ts";
import { PENALTY_TOKENS_MAX } from "../openai/fields.ts";
import type { CHAT_BODY, OPTIONS } from "./fields.ts";

type Options = output<typeof OPTIONS>;
type Message = Exclude<FieldsOf<typeof CHAT_BODY>["messages"], undefined>[number];

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
export function shapeOf(think: boolean | string | undefined): PromptShape {
  if (think === undefined) return {};
  return {
    enableThinking: think !== false,
    reasoningEffort: REASONING_EFFORTS.find((each) => each === think),
  };
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
