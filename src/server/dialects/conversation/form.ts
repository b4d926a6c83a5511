/** What an answer in a conversation must be: calls of tools, a shape, or both. @module */

import type { GrammarSource } from "../../../grammar/mod.ts";
import type { ModelInfo } from "../../../protocol/model_info.ts";
import type { Structure } from "../openai/structure.ts";
import { callingOf, type ToolRequest } from "./tools.ts";

/** What that makes of the prompt and of the options of an answer. */
export interface Form {
  readonly shape: { readonly tools?: ToolRequest["tools"] };
  readonly options: {
    readonly grammar?: GrammarSource;
    readonly specialTokens?: true;
    readonly splitReasoning: false;
  };
  /** The field that says what the answer must be, for messages about it. */
  readonly field: string;
}

/** With tools and a structure the answer is one of both. Throws an ApiError, 400. */
export function formOf(
  tools: ToolRequest | undefined,
  structure: Structure | undefined,
  { toolCalls, thoughts }: Pick<ModelInfo, "toolCalls" | "thoughts">,
): Form {
  const calling = tools && callingOf(tools, toolCalls, structure?.grammar);
  const grammar = calling?.options.grammar ?? structure?.grammar;
  // The signs of calls and thoughts may be control tokens, which are no text otherwise.
  const special = calling !== undefined || (thoughts?.control.length ?? 0) > 0;
  return {
    shape: tools === undefined ? {} : { tools: tools.tools },
    options: {
      ...grammar === undefined ? {} : { grammar },
      ...special ? { specialTokens: true } : {},
      // Dialects read their answers themselves.
      splitReasoning: false,
    },
    field: structure?.field ?? "tools",
  };
}
