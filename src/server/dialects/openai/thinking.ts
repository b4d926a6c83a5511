/** Thoughts in chats, in the names that clients of many servers have for whether and how much a model thinks. @module */

import { GENERATION } from "../../../protocol/options/generation.ts";
import { flag, integer, object, text, unused, word } from "../../schema/fields.ts";
import { docOf } from "../../../protocol/options/option.ts";
import type { FieldsOf } from "../../schema/read.ts";
import type { ThinkingRequest } from "../conversation/thinking.ts";
import { limitOf, oneOf } from "./sampling.ts";

const effort = (help: string) => text(16, { help });
const budget = (help: string) => integer(-1, GENERATION.reasoningTokens.kind.max, { help });
const another = budget("Another name of thinking_token_budget; -1: no limit.");

/** Fields of requests for chats. */
export const THINKING_FIELDS = {
  enable_thinking: flag("Whether the model thinks first, for chat templates that know it."),
  reasoning_effort: effort(
    "low, medium or high, for chat templates that know it; none: enable_thinking is false, else true.",
  ),
  thinking_token_budget: budget(`${docOf(GENERATION.reasoningTokens, "client")} -1: no limit.`),
  thinking_budget: another,
  thinking_budget_tokens: another,
  reasoning_budget: another,
  reasoning_budget_tokens: another,
  thinking: object({}, { type: word(["enabled", "disabled", "auto", "adaptive"]), budget_tokens: another }, {
    others: unused(["clear_thinking", "keep"]),
    help: "As GLM's and other interfaces name it.",
  }),
  reasoning: object({}, {
    effort: effort("As reasoning_effort."),
    max_tokens: budget("As thinking_token_budget."),
    enabled: flag("As enable_thinking."),
    exclude: flag("Leave out what the model thought.", false),
  }, { others: unused(["summary", "generate_summary"]), help: "As OpenRouter names it." }),
  include_reasoning: flag("false leaves out what the model thought.", true),
  reasoning_format: word(["none", "auto", "deepseek"], {
    help:
      "none: thoughts stay in the text, as the model writes them. Otherwise they are reasoning_content, where the chat template marks them.",
  }),
};

const THINKING_BODY = object({}, THINKING_FIELDS);

/** Whether and how much to think. Throws an ApiError, 400, for what contradicts itself. */
export function thinkingFields(fields: FieldsOf<typeof THINKING_BODY>): ThinkingRequest {
  const { thinking, reasoning } = fields;
  const type = thinking?.type;
  const known = type === "auto" || type === "adaptive" ? undefined : type;
  return {
    enabled: oneOf({
      enable_thinking: fields.enable_thinking,
      thinking: known == null ? undefined : known === "enabled",
      reasoning: reasoning?.enabled ?? undefined,
    }),
    effort: oneOf({
      reasoning_effort: fields.reasoning_effort,
      "reasoning.effort": reasoning?.effort ?? undefined,
    }),
    budget: limitOf(oneOf({
      thinking_token_budget: fields.thinking_token_budget,
      thinking_budget: fields.thinking_budget,
      thinking_budget_tokens: fields.thinking_budget_tokens,
      reasoning_budget: fields.reasoning_budget,
      reasoning_budget_tokens: fields.reasoning_budget_tokens,
      "thinking.budget_tokens": thinking?.budget_tokens ?? undefined,
      "reasoning.max_tokens": reasoning?.max_tokens ?? undefined,
    })),
  };
}
