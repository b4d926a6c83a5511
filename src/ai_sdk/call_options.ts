/** From the options of the AI SDK's calls to those of chats. @module */

import type { LanguageModelV4CallOptions, SharedV4Warning } from "@ai-sdk/provider";
import { callingOf, formatNamed, type ToolRequest } from "../client/conversation/calling.ts";
import { withSchemaPrompt } from "../client/conversation/object_generation.ts";
import type { ToolFormat } from "../grammar/tools/format.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type { ChatOptions } from "../protocol/options/generation.ts";
import type { ChatMessage } from "../protocol/request.ts";
import { REASONING_EFFORTS } from "../tokenizer/template_options.ts";
import { toMessages } from "./prompt.ts";

/** A chat that is to be begun. */
export interface Asked {
  readonly messages: ChatMessage[];
  readonly options: ChatOptions;
  /** How calls are written, where there are tools. */
  readonly format?: ToolFormat;
  readonly warnings: SharedV4Warning[];
}

/** What `providerOptions.kumi` may have: options of chats, and whether the system message tells of a schema. */
type OwnOptions = ChatOptions & { tellSchema?: boolean };

/** Throws a ToolRequestError, or an error that the SDK knows. */
export function toChat(call: LanguageModelV4CallOptions, { toolCalls }: Pick<ModelInfo, "toolCalls">): Asked {
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
    ...own,
    signal: call.abortSignal,
  };
  const told = schema !== undefined && tellSchema ? withSchemaPrompt(messages, schema) : messages;
  if (tools === undefined) {
    const grammar = schema === undefined ? {} : { grammar: { kind: "schema", schema } as const };
    return { messages: told, options: { ...options, ...grammar }, warnings };
  }
  if (schema !== undefined) {
    const details = "beside tools the schema is told to the model, and not kept to";
    warnings.push({ type: "compatibility", feature: "responseFormat", details });
  }
  const calling = callingOf(tools, toolCalls);
  const format = formatNamed(toolCalls);
  return { messages: told, options: { ...options, ...calling.shape, ...calling.options }, format, warnings };
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
