/**
 * Messages between the caller's thread and the engine. They are plain objects, so that they could as well travel
 * through a pipe to another process; the shared memory in `load` is an extra that only a worker can have.
 *
 * Tokens are counted, chosen and turned into text by the engine: the caller's thread neither builds a tokenizer nor
 * waits for one.
 */
import type { CountedOutlook, LatencyClass, RefusalReason } from "../../scheduler/mod.ts";
import type { FilePooling } from "../models/hyperparameters.ts";
import type { RunnerOptions } from "../model_runner.ts";
import type { SamplingParams } from "../sampling.ts";
import type { ChatTemplateOptions } from "../tokenizer/chat_template.ts";
import type { ToolCall } from "../tokenizer/conversation.ts";
import type { EngineStats } from "./stats.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  /** "system", "developer", "user", "assistant" or "tool"; any other is refused. */
  role: string;
  content: string;
  /** Who speaks, or the function that a message of role "tool" comes from; for templates that show it. */
  name?: string;
  /** What the assistant thought before it answered, for templates that show it. */
  reasoning_content?: string;
  /** What the assistant called. Templates that know no tools get it as text. */
  tool_calls?: ToolCall[];
  /** Which call a message of role "tool" answers. */
  tool_call_id?: string;
}

/** How a conversation becomes a prompt. */
export type PromptShape = Omit<ChatTemplateOptions, "now">;

/** What a generation continues. */
export type Prompt =
  | { text: string }
  | { tokens: number[] }
  | { messages: ChatMessage[] } & PromptShape;

/** What becomes of the hidden states of a text's tokens: their mean, or the last one alone. */
export const POOLINGS = ["mean", "last"] as const;
export type Pooling = typeof POOLINGS[number];

/** A checked request. */
export interface GenerationRequest {
  prompt: Prompt;
  sampling: SamplingParams;
  /** Undefined: until the context is full. 0: only the prompt is computed. */
  maxTokens?: number;
  /** Set: the prompt's tokens are scored, each with so many of the likeliest at its place. */
  promptLogprobs?: number;
  /** Tokens of the prompt whose scores were delivered by another worker, which has ended. */
  promptScored?: number;
  /** Whether the token that ends the answer has its log-probability told, too: it adds nothing to the text. */
  endLogprob?: boolean;
  /** Strings that end the answer and are not part of it. */
  stop: string[];
  /** Tokens that end the answer, beside the model's own end tokens. */
  stopTokens: number[];
  /** Go on when the model says that it is done. */
  ignoreEnd: boolean;
  /** The answer does not end by itself before it has so many tokens. */
  minTokens?: number;
  /** Whether control tokens are written into the text. */
  specialTokens?: boolean;
  /** When the caller asked, in ms since 1970. */
  submittedAt: number;
  /** Name of the latency class. */
  class: string;
  /** Prefixes of prompts are only shared between requests of one tenant. */
  tenant: string;
  /** Higher goes first within the class. */
  priority: number;
  /** Ends the answer so many ms after the call. */
  deadlineMs?: number;
  /** Set: nothing is generated, the prompt's embedding is wanted. */
  pooling?: Pooling;
  /**
   * Tokens that another worker has generated and delivered for this request before it ended: they are taken as they are, and
   * the answer goes on after them. A request that has this field was accepted before and is never refused.
   */
  restored?: number[];
  /** Taken even where it would be refused, for measuring. `reason`: why the caller's side would have refused it. */
  overrule?: { reason?: RefusalReason };
}

/** Why an answer ended: the model or a stop string or token, the limit of tokens, the caller, or its deadline. */
export type FinishReason = "stop" | "length" | "abort" | "deadline";

/** A token that could have been chosen, with its log-probability in the model's raw distribution. */
export interface TopLogprob {
  id: number;
  /**
   * The token as a text to show: what its bytes say, `bytes:\xe3\x81` where they are not whole characters, the name of a control
   * token.
   */
  text: string;
  /** What it adds to the text, in UTF-8: parts of characters are as they are, control tokens add nothing. */
  bytes: number[];
  logprob: number;
}

/** A generated token with its log-probability. */
export interface TokenLogprob extends TopLogprob {
  /** The likeliest tokens at this place, best first. */
  top: TopLogprob[];
}

/** A token of the prompt with its log-probability after those before it. */
export interface PromptLogprob extends Omit<TokenLogprob, "logprob"> {
  /** Null for the first token: nothing stands before it. */
  logprob: number | null;
  /** Its place among all tokens, the likeliest is 1; null for the first token. */
  rank: number | null;
}

/** Tokens of a request. */
export interface Usage {
  promptTokens: number;
  /** Tokens of the prompt whose keys and values were known from an earlier request. */
  cachedTokens: number;
  /** All tokens that were chosen, a final end token included. */
  completionTokens: number;
}

/** How long a request took. */
export interface Timings {
  /** From the call to the first token, in ms; undefined when there was none. */
  ttftMs?: number;
  /**
   * From the call to the first step that computed some of it, in ms; undefined when there was none, or when another worker had it
   * before, which alone knows.
   */
  queueMs?: number;
  /** From the call to the end, in ms. */
  totalMs: number;
  prefillTokensPerSecond?: number;
  /** Tokens after the first one. */
  decodeTokensPerSecond?: number;
}

/** How a request ended. */
export interface Completion {
  finishReason: FinishReason;
  usage: Usage;
  timings: Timings;
  /** The seed that gives these tokens again. */
  seed: number;
  /** It would have been refused, but was taken for measuring. */
  overruled?: RefusalReason;
  /** Where one was asked for and nothing ended the request before: [hidden] f32 of length 1. */
  embedding?: Float32Array;
}

/** An error as a plain object. */
export interface WireError {
  name: string;
  message: string;
  /** Of a refused request: why, and when to try again. */
  reason?: RefusalReason;
  retryAfterMs?: number;
}

/** What one step did for one request. */
export interface StepEvent {
  id: number;
  /** Set with the first event of an accepted request, before anything is computed for it: tokens of its prompt. */
  promptTokens?: number;
  /** Tokens that were chosen. */
  tokens: number[];
  /** What they add to the text; some add nothing yet. */
  text: string;
  /** Of these tokens, where they were asked for; of the one that ends the answer only if so asked. Their text may come later. */
  logprobs?: TokenLogprob[];
  /** The next tokens of the prompt, where they are scored. */
  promptLogprobs?: PromptLogprob[];
  /** Set with the last event of a request that succeeded. */
  completion?: Completion;
  /** Set with the last event of a request that failed. */
  error?: WireError;
}

/** What a loaded model is. */
export interface ModelInfo {
  architecture: string;
  /** The name that the file gives, if any. */
  name?: string;
  /** Number of weights. */
  parameters: number;
  /** Bytes of the tensors in the file. */
  weightBytes: number;
  layers: number;
  hidden: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocab: number;
  /** Longest sequence as loaded, in tokens. */
  contextLength: number;
  /** Longest sequence that the model was trained for, in tokens. */
  trainedContextLength: number;
  /** Bytes of keys and values per token. */
  kvBytesPerToken: number;
  /** Tokens that the KV cache of each worker holds. */
  kvTokens: number;
  /** What the file says about embeddings; "none" where it says nothing. */
  pooling: FilePooling;
  hasChatTemplate: boolean;
  /** Names of the tokens that begin and end a text, where the model has such. */
  bosToken?: string;
  eosToken?: string;
  /** Sentences about what is otherwise than the file or a user would have it, such as a shorter context. */
  notes: readonly string[];
  /** The instruction set level in use. */
  isa: string;
  /**
   * Equal where the same request with the same seed has the same answer: made of kumi's version, the file, the KV cache's format
   * and, for weights in BF16 alone, the instruction set level.
   */
  fingerprint: string;
  threads: number;
}

/** Options of the engine that travel to it. */
export type EngineOptions = Omit<RunnerOptions, "progress" | "signal" | "shareFrom" | "onContext"> & {
  /** Most requests computed together; the others wait. */
  sequencesMax?: number;
  /** Default: {@linkcode LIBRARY_CLASSES}. */
  classes?: readonly LatencyClass[];
  /** The oldest request of a class goes first after this many ms. */
  ageingMs?: number;
  /** Whether prompts that begin alike share what was computed for them; default true. */
  prefixCache?: boolean;
  /** The CPUs that the worker may use; default: all that the process may use. */
  cpus?: readonly number[];
  /** The NUMA node that the worker's memory is to be on. */
  numaNode?: number;
};

/**
 * Words of the shared memory. After them come the ids of the requests that the step under way computes: whoever finds the
 * worker dead knows of whom it may have died.
 */
export const ControlWord = {
  /** Raised by the caller's thread when a long step should end early. */
  interrupts: 0,
  /** Raised by the engine while it works: a sign of life. */
  heartbeat: 1,
  /** The native context, as soon as there is one: whoever replaces a dead worker frees it. */
  context: 2,
  /** Requests in the step under way; 0 between steps. */
  stepRequests: 3,
  /** Messages that the caller's thread has sent. */
  posted: 4,
} as const;

/** Where the ids of the requests in a step begin, in words. */
export const CONTROL_STEP_IDS = 5;
/** Most ids that are written down. */
export const CONTROL_STEP_IDS_MAX = 512;
export const CONTROL_WORDS = CONTROL_STEP_IDS + CONTROL_STEP_IDS_MAX;

/** The native ids of a loaded model's matrices, by tensor. Another worker of the process can share them. */
export type SharedWeights = Readonly<Record<string, number>>;

/** What the machine offers to the workers of a process. */
export interface Machine {
  /** NUMA nodes with the CPUs that the process may use; one node where the system tells of none. */
  nodes: readonly { id: number; cpus: readonly number[]; memoryBytes?: number }[];
  /** So many CPUs' worth of time the process may use: its quota counts too. */
  usable: number;
}

export type ToEngine =
  | { type: "machine"; libraryPath?: string }
  | {
    type: "load";
    path: string;
    options: EngineOptions;
    control?: SharedArrayBuffer;
    /** Matrices of another worker, which need not be read again. */
    shareFrom?: SharedWeights;
    /** Contexts of workers that have ended, which are freed as soon as their matrices are shared. */
    orphans?: number[];
  }
  | { type: "generate"; id: number; request: GenerationRequest }
  | { type: "abort"; id: number }
  /** A request of this class was refused by what the engine had said about it. */
  | { type: "refused"; class: string }
  | { type: "tokenize"; id: number; text: string; addSpecial: boolean; parseSpecial: boolean }
  | { type: "detokenize"; id: number; tokens: number[]; special: boolean }
  | { type: "stats"; id: number }
  | { type: "ping" }
  | { type: "close" };

export type FromEngine =
  | { type: "machine"; machine: Machine }
  | { type: "progress"; doneBytes: number; totalBytes: number }
  | { type: "loaded"; info: ModelInfo; weights: SharedWeights }
  | { type: "failed"; error: WireError }
  | { type: "step"; events: StepEvent[]; outlook?: CountedOutlook[] }
  | { type: "reply"; id: number; value?: number[] | string | EngineStats; error?: WireError }
  | { type: "closed" };
