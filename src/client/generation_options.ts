import {
  anyOf,
  type Check,
  isBoolean,
  isFunction,
  isNumber,
  isRecord,
  isSignal,
  isString,
  isTokens,
  listOf,
  oneOf,
} from "../protocol/arguments.ts";
import { REASONING_EFFORTS } from "../tokenizer/chat_template.ts";
import { CHAT_ROLES } from "../tokenizer/conversation.ts";
import { wallClock } from "../protocol/clock.ts";
import type { GenerationListener } from "./generation.ts";
import {
  type ChatMessage,
  type GenerationRequest,
  type Pooling,
  POOLINGS,
  type Prompt,
  type PromptShape,
} from "../protocol/request.ts";
import {
  checkNumber,
  LOGPROBS_RULE,
  resolveSampling,
  SAMPLING_CHECKS,
  type SamplingOptions,
} from "../protocol/sampling.ts";

/** How an answer is made. All optional. */
export interface GenerationOptions extends SamplingOptions, GenerationListener {
  /** Most tokens of the answer; default: until the context is full. 0: only the prompt is computed. */
  maxTokens?: number;
  /**
   * Give the log-probability of each token of the prompt, too, and of this many likeliest alternatives: 0 to 20. All of the prompt is
   * computed then, whatever is known of it.
   */
  promptLogprobs?: number;
  /** Give the log-probability of the token that ends the answer, too; it adds nothing to the text. Default false. */
  endLogprob?: boolean;
  /** The answer ends before the first of these strings. At most 16 of at most 256 characters. */
  stop?: string | readonly string[];
  /** Tokens that end the answer, beside the model's own. */
  stopTokens?: readonly number[];
  /** Go on when the model says that it is done. */
  ignoreEnd?: boolean;
  /** The answer does not end by itself before it has so many tokens; stop strings within them do not count. Default 0. */
  minTokens?: number;
  /** Write control tokens into the answer's text; the one that ends it never is. Default false. */
  specialTokens?: boolean;
  /** Latency class: "interactive" (default), "batch", or what the model was loaded with. */
  class?: string;
  /** Ends the answer so many ms after the call, with what it has by then. A request that cannot make it is refused. */
  deadlineMs?: number;
  /** Whose request it is: what was computed for a prompt is only used again for the same tenant. Default: "". */
  tenant?: string;
  /** Requests with higher numbers go first within their class: −100 to 100, default 0. */
  priority?: number;
  /** Ends the answer: a loop over it throws the signal's reason, its result has what came so far. */
  signal?: AbortSignal;
}

/** How an answer in a conversation is made. All optional. */
export interface ChatOptions extends GenerationOptions, PromptShape {}

/** What of the options shapes the prompt. Throws a RangeError for what contradicts itself. */
export function shapeOf(options: ChatOptions): PromptShape {
  const { enableThinking, reasoningEffort, continueFinalMessage, addGenerationPrompt, templateVariables } =
    options;
  if (continueFinalMessage && addGenerationPrompt) {
    throw new RangeError(
      'Options "continueFinalMessage" and "addGenerationPrompt" cannot both be true: an answer goes on with a message or begins one',
    );
  }
  return { enableThinking, reasoningEffort, continueFinalMessage, addGenerationPrompt, templateVariables };
}

const isStop = anyOf(
  "a string or a list of strings",
  (value) => typeof value === "string" ? isString : null,
  (value) => Array.isArray(value) ? listOf(isString) : null,
);

/** What each option is of; ranges are checked with the defaults. */
export const GENERATION_CHECKS: Readonly<Record<keyof GenerationOptions, Check>> = {
  ...SAMPLING_CHECKS,
  maxTokens: isNumber,
  promptLogprobs: isNumber,
  endLogprob: isBoolean,
  stop: isStop,
  stopTokens: isTokens,
  ignoreEnd: isBoolean,
  minTokens: isNumber,
  specialTokens: isBoolean,
  class: isString,
  deadlineMs: isNumber,
  tenant: isString,
  priority: isNumber,
  signal: isSignal,
  onAccepted: isFunction,
  onTokens: isFunction,
  onPart: isFunction,
};

export const CHAT_CHECKS: Readonly<Record<keyof ChatOptions, Check>> = {
  ...GENERATION_CHECKS,
  enableThinking: isBoolean,
  reasoningEffort: oneOf(REASONING_EFFORTS),
  continueFinalMessage: isBoolean,
  addGenerationPrompt: isBoolean,
  templateVariables: isRecord,
};

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

/** What `maxTokens` may be. */
export const MAX_TOKENS_RULE = { min: 0, max: 2 ** 31, integer: true } as const;
const DEFAULT_CLASS = "interactive";
const NAME_CHARACTERS_MAX = 256;
const STOPS_MAX = 16;
const STOP_CHARACTERS_MAX = 256;
const STOP_TOKENS_MAX = 256;

/** What the server and the library ask for besides. */
export interface RequestKind {
  /** Set: the prompt's embedding is wanted. */
  readonly pooling?: Pooling;
}

/** Checks the options and fills in the defaults. `vocab`: tokens the model has. Throws a RangeError or TypeError. */
export function resolveRequest(
  prompt: Prompt,
  options: GenerationOptions & RequestKind,
  vocab: number,
): GenerationRequest {
  const { minTokens = 0, stopTokens = [] } = options;
  const maxTokens = options.maxTokens === undefined
    ? undefined
    : checkNumber("maxTokens", options.maxTokens, MAX_TOKENS_RULE);
  if (stopTokens.length > STOP_TOKENS_MAX) {
    throw new RangeError(
      `Option "stopTokens" must have at most ${STOP_TOKENS_MAX}, current count is ${stopTokens.length}`,
    );
  }
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw new RangeError(
      `Option "minTokens" must be at most "maxTokens", ${maxTokens}, current value is ${minTokens}`,
    );
  }
  const isToken = { min: 0, max: vocab - 1, integer: true } as const;
  return {
    prompt,
    sampling: resolveSampling(options, vocab),
    maxTokens,
    ...options.promptLogprobs === undefined
      ? {}
      : { promptLogprobs: checkNumber("promptLogprobs", options.promptLogprobs, LOGPROBS_RULE) },
    ...options.endLogprob === true ? { endLogprob: true } : {},
    stop: resolveStops(options.stop),
    stopTokens: stopTokens.map((token) => checkNumber("stopTokens", token, isToken)),
    ignoreEnd: options.ignoreEnd ?? false,
    minTokens: checkNumber("minTokens", minTokens, { min: 0, max: 2 ** 31, integer: true }),
    specialTokens: options.specialTokens ?? false,
    submittedAt: wallClock(),
    class: checkName("class", options.class ?? DEFAULT_CLASS),
    tenant: checkName("tenant", options.tenant ?? ""),
    priority: checkNumber("priority", options.priority ?? 0, { min: -100, max: 100, integer: true }),
    deadlineMs: options.deadlineMs === undefined
      ? undefined
      : checkNumber("deadlineMs", options.deadlineMs, { min: 1, max: 2 ** 31 }),
    ...options.pooling === undefined ? {} : { pooling: checkPooling(options.pooling), maxTokens: 1 },
  };
}

function checkPooling(pooling: Pooling): Pooling {
  if (POOLINGS.includes(pooling)) return pooling;
  throw new RangeError(`Option "pooling" must be one of ${POOLINGS.join(", ")}, current value is ${pooling}`);
}

function checkName(option: string, value: string): string {
  if (typeof value !== "string") {
    throw new TypeError(`Option "${option}" must be a string, current type is ${typeof value}`);
  }
  if (value.length > NAME_CHARACTERS_MAX) {
    throw new RangeError(
      `Option "${option}" must have at most ${NAME_CHARACTERS_MAX} characters, current length is ${value.length}`,
    );
  }
  return value;
}

function resolveStops(stop: GenerationOptions["stop"]): string[] {
  const stops = stop === undefined ? [] : typeof stop === "string" ? [stop] : [...stop];
  if (stops.length > STOPS_MAX) {
    throw new RangeError(
      `Option "stop" must have at most ${STOPS_MAX} strings, current count is ${stops.length}`,
    );
  }
  for (const text of stops) {
    if (typeof text !== "string") throw new TypeError(`Option "stop" must be strings, one is ${typeof text}`);
    if (text.length < 1 || text.length > STOP_CHARACTERS_MAX) {
      throw new RangeError(
        `Strings in "stop" must have 1 to ${STOP_CHARACTERS_MAX} characters, current length is ${text.length}`,
      );
    }
  }
  // A lone surrogate is U+FFFD everywhere else; as it is it would match half a character.
  return stops.map((text) => text.toWellFormed());
}
