/**
 * A conversation that is to be answered, in no dialect's words: every dialect makes one of these of its fields. What all
 * of them can ask for, tools or an answer with a shape, belongs here.
 * @module
 */

import type { ChatMessage, PromptShape } from "../../../protocol/request.ts";
import { badField } from "../../api_error.ts";
import type { Asked, Generating, Plan } from "../dialect.ts";
import type { Structure } from "../openai/structure.ts";
import { formOf } from "./form.ts";
import type { AnswerOptions } from "./portable.ts";
import { thinkingOf, type ThinkingRequest } from "./thinking.ts";
import type { ToolRequest } from "./tools.ts";
import { type Own, ownOptions } from "../own.ts";
import { type Urgency, urgencyOf } from "../urgency.ts";

/** What is to be answered. */
export interface ChatRequest {
  readonly messages: ChatMessage[];
  /** How the conversation becomes a prompt. */
  readonly shape?: PromptShape;
  readonly options: AnswerOptions;
  readonly thinking?: ThinkingRequest;
  /** What only this server knows. */
  readonly own?: Own;
  readonly tools?: ToolRequest;
  /** What the answer must be. */
  readonly structure?: Structure;
  readonly urgency?: Urgency;
}

/** The work of a request and its latency class. Throws an ApiError, 400. */
export function planChat(
  request: ChatRequest,
  asked: Asked,
): Pick<Plan, "class" | "chat"> & { works: [Generating] } {
  const { messages, shape = {}, options, urgency = {} } = request;
  const form = formOf(request.tools, request.structure, asked.model.info);
  const thinking = thinkingOf(request.thinking ?? {}, request.own);
  const own = ownOptions(request.own);
  const all = { ...urgencyOf(urgency, asked), ...options, ...own, ...thinking.options, ...form.options };
  const prompt = { messages, ...shape, ...thinking.shape, ...form.shape };
  return {
    works: [{ kind: "generating", prompt, options: all, grammarField: form.field }],
    class: all.class,
    chat: {
      messages,
      options,
      tools: request.tools,
      grammar: request.structure?.grammar,
      effort: request.thinking?.effort,
    },
  };
}

/** A conversation that templates can begin with: some refuse an empty one. Throws an ApiError, 400. */
export function requireMessages(messages: readonly ChatMessage[], field: string): void {
  if (messages.length === 0) throw badField(field, `"${field}" has no message to answer`, "missing_field");
}
