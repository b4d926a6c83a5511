/** Whether and how much a model thinks before it answers, whatever a dialect calls it. @module */

import { oneOf } from "../openai/sampling.ts";
import type { Own } from "../own.ts";
import type { PromptShape } from "../../../protocol/request.ts";
import type { ReasoningEffort } from "../../../tokenizer/template_options.ts";

/** What a request says of it. */
export interface ThinkingRequest {
  readonly enabled?: boolean;
  /** "none": not at all. Any other asks for thoughts: many templates know only whether. */
  readonly effort?: string;
  /** Most tokens of thoughts. */
  readonly budget?: number;
}

/** Efforts that templates know, by the names that clients have for them. */
const EFFORTS: Readonly<Record<string, ReasoningEffort>> = {
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
  max: "high",
};

/**
 * What it makes of the prompt and of the options of an answer. Throws an ApiError, 400, where the server's own field and the
 * dialect's contradict each other.
 */
export function thinkingOf(request: ThinkingRequest, own: Own = {}): {
  readonly shape: Pick<PromptShape, "enableThinking" | "reasoningEffort">;
  readonly options: { readonly reasoningTokens?: number };
} {
  const { enabled, effort } = request;
  const budget = oneOf({
    "the budget of thoughts": request.budget,
    "kumi.thinking_tokens": own.thinking_tokens ?? undefined,
  });
  const byEffort = effort === undefined ? undefined : effort !== "none";
  const enableThinking = enabled ?? byEffort ?? (budget === 0 ? false : undefined);
  const reasoningEffort = effort !== undefined && Object.hasOwn(EFFORTS, effort)
    ? EFFORTS[effort]
    : undefined;
  return {
    shape: {
      ...enableThinking === undefined ? {} : { enableThinking },
      ...reasoningEffort === undefined ? {} : { reasoningEffort },
    },
    options: budget === undefined ? {} : { reasoningTokens: budget },
  };
}
