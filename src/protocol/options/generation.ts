/** The options of an answer, beside those of sampling. @module */

import type { GrammarSpec } from "../../grammar/mod.ts";
import type { ThoughtsAt } from "../../grammar/thoughts/format.ts";
import type { ToolDeclaration } from "../../grammar/tools/prompt.ts";
import { limits } from "../../ffi/symbols.ts";
import { type ChatVariables, REASONING_EFFORTS } from "../../tokenizer/template_options.ts";
import type { AnswerPart } from "../answer.ts";
import { isFunction, isRecord, isSignal, listOf } from "../arguments.ts";
import { type Pooling, POOLINGS, type PromptShape } from "../request.ts";
import { boolean, choice, integer, list, number, own, text, tokenIds, words } from "./kind.ts";
import { type Agreement, checksOf, type OptionTable } from "./option.ts";
import { SAMPLING, type SamplingOptions } from "./sampling.ts";

/** Who hears of an answer as it comes, before its iterator does. What a listener throws ends the answer. */
export interface GenerationListener {
  /**
   * The request was taken; nothing was computed for it yet. After a worker's end it may be said again.
   * `prefixHashes`: where the model was loaded with a `prefixHashKey`. `thoughts`: where the answer begins, if the model
   * marks its thoughts.
   */
  onAccepted?: (promptTokens: number, prefixHashes?: readonly string[], thoughts?: ThoughtsAt) => void;
  /** The ids of new tokens. */
  onTokens?: (tokens: readonly number[]) => void;
  /**
   * What a step added: tokens, text, and, where they were asked for, the log-probabilities of the tokens
   * whose text is out now. The text of a token comes later where it ends inside a character or may begin a
   * stop string. The prompt's come before, as it is computed.
   */
  onPart?: (part: AnswerPart) => void;
}

/** How an answer is made. All optional. */
export interface GenerationOptions extends SamplingOptions, GenerationListener {
  /** Most tokens of the answer; default: until the context is full. 0: only the prompt is computed. */
  maxTokens?: number;
  /**
   * Give the log-probability of each token of the prompt, too, and of this many likeliest alternatives: 0 to
   * 20. All of the prompt is computed then, whatever is known of it.
   */
  promptLogprobs?: number;
  /**
   * Give the log-probability of the token that ends the answer, too; it adds nothing to the text. Default
   * false.
   */
  endLogprob?: boolean;
  /** The answer ends before the first of these strings. At most 16 of at most 256 characters. */
  stop?: string | readonly string[];
  /** Tokens that end the answer, beside the model's own. */
  stopTokens?: readonly number[];
  /** Go on when the model says that it is done. */
  ignoreEnd?: boolean;
  /**
   * The answer does not end by itself before it has so many tokens; stop strings within them do not count.
   * Default 0.
   */
  minTokens?: number;
  /**
   * What the answer must be: a text of JSON that fits a schema, a text that an expression matches, one of several texts, or
   * a text of a grammar in llama.cpp's notation. It ends where nothing more may follow.
   */
  grammar?: GrammarSpec;
  /**
   * Give what the model thinks apart from the text: as `reasoning` of parts and of the result, where its chat template marks
   * thoughts. Default: with a grammar, which is of what comes behind them.
   */
  splitReasoning?: boolean;
  /** Most tokens that the model thinks in a conversation: then their end is written, and it answers. Default: no limit. */
  reasoningTokens?: number;
  /**
   * With a grammar: where `maxTokens` comes near, what is open is closed in the shortest way, so that the text is whole. The answer
   * then ends with finishReason "length", unless there was room for more. Default false.
   */
  closeOnLength?: boolean;
  /** Write control tokens into the answer's text; the one that ends it never is. Default false. */
  specialTokens?: boolean;
  /**
   * Whether steps may guess the next tokens from what repeats itself, and check them all at once: the answer is the same to the bit,
   * and often comes sooner. Default true, where the model was loaded so.
   */
  speculation?: boolean;
  /** A text that the answer is expected to be, or much of it: guesses come from it, too. The answer stays what it is. */
  prediction?: string;
  /**
   * Give a receipt with the result: what another machine needs to compute the answer again, and hashes of what must come out.
   * Default false.
   */
  receipt?: boolean;
  /**
   * Latency class, of those that the model was loaded with. Default: "interactive", or the highest where
   * there is none of that name.
   */
  class?: string;
  /**
   * Ends the answer so many ms after the call, with what it has by then. A request that cannot make it is
   * refused.
   */
  deadlineMs?: number;
  /**
   * Whose request it is: what was computed for a prompt is only used again for the same tenant. Default: "".
   */
  tenant?: string;
  /** Requests with higher numbers go first within their class: −100 to 100, default 0. */
  priority?: number;
  /** Ends the answer: a loop over it throws the signal's reason, its result has what came so far. */
  signal?: AbortSignal;
}

/** How an answer in a conversation is made. All optional. */
export interface ChatOptions extends GenerationOptions, PromptShape {}

/** How texts are embedded. All optional; what a generation has, too, means the same here. */
export interface EmbedOptions
  extends Pick<GenerationOptions, "class" | "tenant" | "priority" | "deadlineMs" | "signal"> {
  /**
   * The "mean" of the hidden states of all tokens, or the "last" one. Default: what the model's file says,
   * "mean" where it says nothing.
   */
  pooling?: Pooling;
  /** Only so many elements from the beginning, made a vector of length 1 again; default all. */
  dimensions?: number;
}

const NAME_CHARACTERS_MAX = 256;
const TEXT_CHARACTERS_MAX = 2 ** 22;
const stopText = text(1, 256);

/** Whose and how urgent a request is, whatever it asks for. */
const ASKING = {
  class: {
    kind: text(0, NAME_CHARACTERS_MAX),
    doc: 'latency class; default: "interactive", or the highest where there is none of that name',
    setBy: ["client"],
    field: { min: 1 },
  },
  deadlineMs: {
    kind: number(1, 2 ** 31),
    unit: "ms",
    doc: "ends the answer so many ms after the request, with what it has by then",
    setBy: ["client"],
  },
  tenant: {
    kind: text(0, NAME_CHARACTERS_MAX),
    default: "",
    doc: "whose request it is: what was computed for a prompt is only used again for the same tenant",
  },
  priority: {
    kind: integer(-100, 100),
    default: 0,
    doc: "higher goes first within the class",
    setBy: ["client"],
  },
  signal: { kind: own<AbortSignal>(isSignal), doc: "ends the request", isCallers: true },
} as const satisfies OptionTable;

const LISTENER = {
  onAccepted: {
    kind: own<(promptTokens: number) => void>(isFunction),
    doc: "called when the request was taken",
    isCallers: true,
  },
  onTokens: {
    kind: own<(tokens: readonly number[]) => void>(isFunction),
    doc: "called with the ids of new tokens",
    isCallers: true,
  },
  onPart: {
    kind: own<(part: AnswerPart) => void>(isFunction),
    doc: "called with what a step added",
    isCallers: true,
  },
} as const satisfies OptionTable;

/** Of every kind of answer. */
export const GENERATION = {
  ...SAMPLING,
  maxTokens: {
    kind: integer(0, 2 ** 31),
    unit: "tokens",
    doc: "stop after N tokens",
    docFor: {
      client:
        "Most tokens of the answer; default, and -1: until the context is full. 0: only the prompt is computed.",
    },
    setBy: ["terminal", "client"],
    flag: { alias: "n", value: "N" },
  },
  promptLogprobs: {
    kind: integer(0, limits.sampleTopMax),
    doc: "give the log-probability of each token of the prompt, and of so many likeliest alternatives",
    setBy: ["client"],
  },
  endLogprob: {
    kind: boolean,
    default: false,
    doc: "give the log-probability of the token that ends the answer, too",
  },
  stop: {
    kind: choice(stopText, list(stopText, 0, 16, "a list of strings")),
    doc: "stop before this text",
    docFor: { client: "The answer ends before the first of these strings." },
    setBy: ["terminal", "client"],
    flag: { value: "TEXT", read: (value) => [value] },
  },
  stopTokens: {
    kind: tokenIds(0, 256),
    doc: "tokens that end the answer",
    setBy: ["client"],
    field: { name: "stop_token_ids" },
  },
  ignoreEnd: {
    kind: boolean,
    default: false,
    doc: "go on when the model says that it is done",
    setBy: ["client"],
    field: { name: "ignore_eos" },
  },
  minTokens: {
    kind: integer(0, 2 ** 31),
    default: 0,
    unit: "tokens",
    doc: "the answer does not end before it has so many tokens",
    setBy: ["client"],
  },
  grammar: { kind: own<GrammarSpec>(isRecord), doc: "what the answer must be", isCallers: true },
  splitReasoning: {
    kind: boolean,
    doc: "give what the model thinks apart from the text; default: with a grammar",
    isCallers: true,
  },
  reasoningTokens: {
    kind: integer(0, 2 ** 31),
    unit: "tokens",
    doc: "most tokens that the model thinks before it answers",
    setBy: ["client"],
    field: { name: "thinking_token_budget" },
  },
  closeOnLength: {
    kind: boolean,
    default: false,
    doc: "where the limit of tokens comes near, close what a grammar has open in the shortest way",
  },
  specialTokens: { kind: boolean, default: false, doc: "write control tokens into the answer's text" },
  speculation: {
    kind: boolean,
    default: true,
    doc: "whether the next tokens may be guessed and checked together: the answer is the same",
  },
  prediction: {
    kind: text(0, TEXT_CHARACTERS_MAX),
    doc: "a text that the answer is expected to be, for guesses",
  },
  receipt: {
    kind: boolean,
    default: false,
    doc: "give a receipt with the result, by which another machine can check the answer",
  },
  ...ASKING,
  ...LISTENER,
} as const satisfies OptionTable;

/** How a conversation becomes a prompt. */
export const SHAPE = {
  enableThinking: {
    kind: boolean,
    doc: "value of `enable_thinking`, for chat templates that know it",
    setBy: ["client"],
  },
  reasoningEffort: {
    kind: words(REASONING_EFFORTS),
    doc: "value of `reasoning_effort`, for chat templates that know it",
    setBy: ["client"],
  },
  continueFinalMessage: {
    kind: boolean,
    doc: "the answer goes on with the last message instead of a new one; default: with an assistant's",
    setBy: ["client"],
  },
  addGenerationPrompt: {
    kind: boolean,
    doc:
      "the prompt ends with the beginning of a new message of the assistant; default: when nothing is continued",
    setBy: ["client"],
  },
  tools: {
    kind: own<readonly ToolDeclaration[]>(listOf(isRecord)),
    doc:
      "functions that the model may call: the prompt tells of them, in the chat template's way or the usual one",
  },
  templateVariables: {
    kind: own<ChatVariables>(isRecord),
    doc: "more variables for chat templates that know them",
  },
  now: {
    kind: number(0, 8.64e15),
    unit: "ms",
    doc: "the time since 1970 that chat templates may write; default: when the request came",
  },
} as const satisfies OptionTable;

/** Of an answer in a conversation. */
export const CHAT = { ...GENERATION, ...SHAPE } as const satisfies OptionTable;

/** Of embeddings. */
export const EMBEDDING = {
  ...ASKING,
  pooling: {
    kind: words(POOLINGS),
    doc:
      "the mean of the hidden states of all tokens, or the last one; default: what the model's file says, else the mean",
    setBy: ["client"],
  },
  dimensions: {
    kind: integer(1, 2 ** 20),
    doc:
      "only so many elements from the beginning, made a vector of length 1 again; default: all that the model has",
    setBy: ["client"],
  },
} as const satisfies OptionTable;

true satisfies Agreement<GenerationOptions, typeof GENERATION>;
true satisfies Agreement<PromptShape, typeof SHAPE>;
true satisfies Agreement<ChatOptions, typeof CHAT>;
true satisfies Agreement<EmbedOptions, typeof EMBEDDING>;

export const GENERATION_CHECKS = checksOf(GENERATION);
export const SHAPE_CHECKS = checksOf(SHAPE);
export const CHAT_CHECKS = checksOf(CHAT);
export const EMBEDDING_CHECKS = checksOf(EMBEDDING);
