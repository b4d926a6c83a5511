/** A conversation as any server can be asked to answer it, without what depends on the model. @module */

import type { ToolRequest } from "../../../client/conversation/calling.ts";
import type { GrammarSource } from "../../../grammar/mod.ts";
import type { ChatOptions } from "../../../protocol/options/generation.ts";
import type { ChatMessage } from "../../../protocol/request.ts";

/** How the answer is made: what of the options has the same meaning in all dialects. */
export type AnswerOptions = Pick<
  ChatOptions,
  | "temperature"
  | "topP"
  | "topK"
  | "minP"
  | "seed"
  | "maxTokens"
  | "stop"
  | "repeatPenalty"
  | "presencePenalty"
  | "frequencyPenalty"
  | "penaltyTokens"
  | "logprobs"
>;

/** What is to be answered. */
export interface PortableChat {
  readonly messages: readonly ChatMessage[];
  readonly options: AnswerOptions;
  readonly tools?: ToolRequest;
  /** What the answer must be. */
  readonly grammar?: GrammarSource;
  /** How much the model is to think, in the request's own word. */
  readonly effort?: string;
}
