/** From the options of the AI SDK's calls to those of chats. @module */

import type { LanguageModelV4CallOptions, SharedV4Warning } from "@ai-sdk/provider";
import { callingOf, type ToolRequest } from "../client/conversation/calling.ts";
import { withSchemaPrompt } from "../client/conversation/object_generation.ts";
import { type AnswerManner, mannerOf } from "../client/conversation/pieces.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type { ChatOptions } from "../protocol/options/generation.ts";
import type { ChatMessage } from "../protocol/request.ts";
import { REASONING_EFFORTS } from "../tokenizer/template_options.ts";
import { toMessages } from "./prompt.ts";

/** A chat that is to be begun. */
export interface Asked {
  readonly messages: ChatMessage[];
  readonly options: ChatOptions;
  /** How answers are written. */
  readonly manner: AnswerManner;
  readonly warnings: SharedV4Warning[];
}

/** What `providerOptions.kumi` may have: options of chats, and whether the system message tells of a schema. */
type OwnOptions = ChatOptions & { tellSchema?: boolean };

/** Throws a ToolRequestError, or an error that the SDK knows. */
export function toChat(
  call: LanguageModelV4CallOptions,
  info: Pick<ModelInfo, "toolCalls" | "thoughts">,
): Asked {
  const { tellSchema = true, ...own } = (call.providerOptions?.kumi ?? {}) as OwnOptions;
  const warnings: SharedV4Warning[] = [];
  const tools = toolsOf(call, warnings);
  const schema = schemaOf(call);
  const messages = toMessages(call.prompt);
  const options: ChatOptions = {
    maxTokens: call.maxOutputTokens,
    temperature: call.temperature,
    topP: call.topP,
    topK: call.topK,
    presencePenalty: call.presencePenalty,
    frequencyPenalty: call.frequencyPenalty,
    stop: call.stopSequences,
    seed: call.seed,
    ...thinkingOf(call.reasoning),
    // The signs of thoughts may be control tokens, which are no text otherwise.
    specialTokens: (info.thoughts?.control.length ?? 0) > 0,
    ...own,
    // They are read here, together with the calls.
    splitReasoning: false,
    signal: call.abortSignal,
  };
  const told = schema !== undefined && tellSchema ? withSchemaPrompt(messages, schema) : messages;
  const grammar = schema === undefined ? undefined : { kind: "schema", schema } as const;
  if (tools === undefined) {
    const form = grammar === undefined ? {} : { grammar };
    return { messages: told, options: { ...options, ...form }, manner: mannerOf(info), warnings };
  }
  // With both the answer is one of them.
  const calling = callingOf(tools, info.toolCalls, grammar);
  const manner = mannerOf(info, tools.tools);
  return { messages: told, options: { ...options, ...calling.shape, ...calling.options }, manner, warnings };
}

function schemaOf({ responseFormat }: LanguageModelV4CallOptions): unknown {
  return responseFormat?.type === "json" ? responseFormat.schema ?? { type: "object" } : undefined;
}

function toolsOf(
  { tools = [], toolChoice }: LanguageModelV4CallOptions,
  warnings: SharedV4Warning[],
): ToolRequest | undefined {
  const declared = tools.flatMap((tool) => {
    if (tool.type === "function") {
      const { name, description, inputSchema: parameters } = tool;
      return [{
        type: "function" as const,
        function: { name, ...description === undefined ? {} : { description }, parameters },
      }];
    }
    warnings.push({
      type: "unsupported",
      feature: `tool ${tool.id}`,
      details: "only functions can be called",
    });
    return [];
  });
  if (declared.length === 0 || toolChoice?.type === "none") return undefined;
  const choice = toolChoice?.type === "tool"
    ? { name: toolChoice.toolName }
    : toolChoice?.type === "required"
    ? "required"
    : "auto";
  return { tools: declared, choice, parallel: true };
}

/** An effort asks for thoughts, or for none: many templates know only whether. */
function thinkingOf(reasoning: LanguageModelV4CallOptions["reasoning"]): ChatOptions {
  if (reasoning === undefined || reasoning === "provider-default") return {};
  const near = reasoning === "minimal"
    ? "low"
    : reasoning === "xhigh" || reasoning === "max"
    ? "high"
    : reasoning;
  return {
    enableThinking: reasoning !== "none",
    reasoningEffort: REASONING_EFFORTS.find((each) => each === near),
  };
}
