/** What a caller may say about how a chat template is filled in. @module */

import type { ToolDeclaration } from "../grammar/tools/prompt.ts";
import type { EndingOptions } from "./conversation.ts";

/** What besides the messages shapes the prompt. */
export interface ChatTemplateOptions extends EndingOptions {
  /** Value of `enable_thinking`, for templates that know it. Default: not set. */
  readonly enableThinking?: boolean;
  /** Value of `reasoning_effort`, for templates that know it. Default: not set. */
  readonly reasoningEffort?: ReasoningEffort;
  /** Functions that the model may call. Templates that know no tools get them in the system message. */
  readonly tools?: readonly ToolDeclaration[];
  /** More variables for templates that know them. Those above, where they are set, count for more. */
  readonly templateVariables?: ChatVariables;
  /** The date that templates may write. Default: now. */
  readonly now?: Date;
}

/** All {@linkcode ReasoningEffort}s. */
export const REASONING_EFFORTS = ["low", "medium", "high"] as const;
/** How much a model shall think. Templates write it into the prompt, so there are no others. */
export type ReasoningEffort = typeof REASONING_EFFORTS[number];

/** What callers may hand to a template by name: nothing that becomes a text of the prompt but a few words. */
export type ChatVariables = Readonly<Record<string, boolean | number | string>>;
export const TEMPLATE_WORDS = [
  "none",
  "minimal",
  "low",
  "medium",
  "high",
  "xhigh",
  "max",
  "auto",
  "on",
  "off",
] as const;
