/** From the options of a call to a request. @module */

import { type Check, checkNumber, isRecord, isString, listOf, oneOf } from "../protocol/arguments.ts";
import { compiledGrammar } from "./compiled_grammar.ts";
import { wallClock } from "../protocol/clock.ts";
import {
  type ChatOptions,
  GENERATION,
  type GenerationOptions,
  SHAPE,
} from "../protocol/options/generation.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { rangeOf } from "../protocol/options/kind.ts";
import {
  type ChatMessage,
  type EmbeddingRequest,
  type GenerationRequest,
  type Pooling,
  POOLINGS,
  type Prompt,
  type PromptShape,
} from "../protocol/request.ts";
import { resolveSampling } from "../protocol/sampling.ts";
import { CHAT_ROLES } from "../tokenizer/conversation.ts";

/** What of the options shapes the prompt. Throws a RangeError for what contradicts itself. */
export function shapeOf(options: ChatOptions): PromptShape {
  if (options.continueFinalMessage && options.addGenerationPrompt) {
    throw new RangeError(
      'Options "continueFinalMessage" and "addGenerationPrompt" cannot both be true: an answer goes on with a message or begins one',
    );
  }
  const names = Object.keys(SHAPE) as (keyof PromptShape)[];
  return Object.fromEntries(names.map((name) => [name, options[name]]));
}

const isToolCall: Check = (label, call) => {
  isRecord(label, call);
  const { id, function: called } = call as Record<string, unknown>;
  if (id !== undefined) isString(`${label}.id`, id);
  isRecord(`${label}.function`, called);
  isString(`${label}.function.name`, (called as Record<string, unknown>).name);
};

const MESSAGE_CHECKS: Readonly<Record<keyof ChatMessage, Check>> = {
  role: oneOf(CHAT_ROLES),
  content: isString,
  name: isString,
  reasoning_content: isString,
  tool_calls: listOf(isToolCall),
  tool_call_id: isString,
};

/** Checks a conversation. What messages have beside what is known here means nothing to a template. */
export const isMessages: Check = listOf((label, message) => {
  isRecord(label, message);
  const given = message as Record<string, unknown>;
  for (const [name, check] of Object.entries(MESSAGE_CHECKS)) {
    if (given[name] !== undefined || name === "role" || name === "content") {
      check(`${label}.${name}`, given[name]);
    }
  }
}, "a list of messages");

/** Checks the options and fills in the defaults of the model and the library. Throws a RangeError or TypeError. */
export function resolveRequest(
  prompt: Prompt,
  options: GenerationOptions,
  info: Pick<ModelInfo, "vocab" | "sampling" | "defaultClass" | "thoughts">,
): GenerationRequest {
  const { vocab, sampling } = info;
  // Prompts that are texts have no thoughts that anybody could know of.
  const thoughts = "messages" in prompt ? info.thoughts : undefined;
  const { minTokens = 0, stopTokens = [] } = options;
  const maxTokens = optionalNumber(options, "maxTokens");
  const stopTokensMax = GENERATION.stopTokens.kind.max;
  if (stopTokens.length > stopTokensMax) {
    throw new RangeError(
      `Option "stopTokens" must have at most ${stopTokensMax}, current count is ${stopTokens.length}`,
    );
  }
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw new RangeError(
      `Option "minTokens" must be at most "maxTokens", ${maxTokens}, current value is ${minTokens}`,
    );
  }
  const reasoningTokens = optionalNumber(options, "reasoningTokens");
  const promptLogprobs = optionalNumber(options, "promptLogprobs");
  const isToken = { min: 0, max: vocab - 1, integer: true } as const;
  return {
    ...resolveAsking(prompt, options, info),
    sampling: resolveSampling(options, vocab, sampling),
    maxTokens,
    ...promptLogprobs === undefined ? {} : { promptLogprobs },
    ...options.grammar === undefined ? {} : compiledGrammar(options.grammar, thoughts),
    ...options.closeOnLength === true ? { closeOnLength: true } : {},
    ...options.speculation === false ? { speculation: false } : {},
    ...options.prediction === undefined ? {} : { prediction: options.prediction },
    ...reasoningTokens === undefined ? {} : { reasoningTokens },
    ...options.endLogprob === true ? { endLogprob: true } : {},
    ...options.receipt === true ? { receipt: true } : {},
    stop: resolveStops(options.stop),
    stopTokens: stopTokens.map((token) => checkNumber("stopTokens", token, isToken)),
    ignoreEnd: options.ignoreEnd ?? false,
    minTokens: optionalNumber(options, "minTokens") ?? 0,
    // The marks of thoughts may be control tokens, which are no text otherwise.
    specialTokens: options.specialTokens ??
      (splitsReasoning(options, info) && info.thoughts!.control.length > 0),
  };
}

/** Whether what a model thinks is told apart from what it says. */
export function splitsReasoning(
  { splitReasoning, grammar }: Pick<GenerationOptions, "splitReasoning" | "grammar">,
  { thoughts }: Pick<ModelInfo, "thoughts">,
): boolean {
  return thoughts !== undefined && (splitReasoning ?? grammar !== undefined);
}

/** The same for an embedding. */
export function resolveEmbedding(
  prompt: Prompt,
  { pooling, ...options }: AskingOptions & { readonly pooling: Pooling },
  info: Pick<ModelInfo, "defaultClass">,
): EmbeddingRequest {
  return { ...resolveAsking(prompt, options, info), pooling: checkPooling(pooling) };
}

type AskingOptions = Pick<GenerationOptions, "class" | "tenant" | "priority" | "deadlineMs">;

/** What every request says, whatever it asks for. */
function resolveAsking(
  prompt: Prompt,
  options: AskingOptions,
  { defaultClass }: Pick<ModelInfo, "defaultClass">,
) {
  return {
    prompt,
    submittedAt: wallClock(),
    class: checkName("class", options.class ?? defaultClass),
    tenant: checkName("tenant", options.tenant ?? ""),
    priority: optionalNumber(options, "priority") ?? 0,
    deadlineMs: optionalNumber(options, "deadlineMs"),
  };
}

/** The number of an option within its range, if it was given. */
function optionalNumber(
  options: GenerationOptions,
  name: "maxTokens" | "promptLogprobs" | "minTokens" | "reasoningTokens" | "priority" | "deadlineMs",
): number | undefined {
  const value = options[name];
  return value === undefined ? undefined : checkNumber(name, value, rangeOf(GENERATION[name].kind));
}

function checkPooling(pooling: Pooling): Pooling {
  if (POOLINGS.includes(pooling)) return pooling;
  throw new RangeError(`Option "pooling" must be one of ${POOLINGS.join(", ")}, current value is ${pooling}`);
}

function checkName(option: "class" | "tenant", value: string): string {
  const { max } = GENERATION[option].kind;
  if (typeof value !== "string") {
    throw new TypeError(`Option "${option}" must be a string, current type is ${typeof value}`);
  }
  if (value.length > max) {
    throw new RangeError(
      `Option "${option}" must have at most ${max} characters, current length is ${value.length}`,
    );
  }
  return value;
}

function resolveStops(stop: GenerationOptions["stop"]): string[] {
  const [one, several] = GENERATION.stop.kind.of;
  const stops = stop === undefined ? [] : typeof stop === "string" ? [stop] : [...stop];
  if (stops.length > several.max) {
    throw new RangeError(
      `Option "stop" must have at most ${several.max} strings, current count is ${stops.length}`,
    );
  }
  for (const text of stops) {
    if (typeof text !== "string") throw new TypeError(`Option "stop" must be strings, one is ${typeof text}`);
    if (text.length < one.min || text.length > one.max) {
      throw new RangeError(
        `Strings in "stop" must have ${one.min} to ${one.max} characters, current length is ${text.length}`,
      );
    }
  }
  // A lone surrogate is U+FFFD everywhere else; as it is it would match half a character.
  return stops.map((text) => text.toWellFormed());
}
