/**
 * Messages between the caller's thread and the engine. They are plain objects, so that they could as well travel
 * through a pipe to another process; the shared memory in `load` is an extra that only a worker can have.
 *
 * Tokens are counted, chosen and turned into text by the engine: the caller's thread neither builds a tokenizer nor
 * waits for one.
 */
import type { RunnerOptions } from "../model_runner.ts";
import type { SamplingParams } from "../sampling.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  /** "system", "developer", "user", "assistant" or "tool"; any other is refused. */
  role: string;
  content: string;
  /** What the assistant thought before it answered, for templates that show it. */
  reasoning_content?: string;
}

/** What a generation continues. */
export type Prompt =
  | { text: string }
  | { tokens: number[] }
  | { messages: ChatMessage[]; enableThinking?: boolean };

/** A checked request. */
export interface GenerationRequest {
  prompt: Prompt;
  sampling: SamplingParams;
  /** Undefined: until the context is full. */
  maxTokens?: number;
  /** Strings that end the answer and are not part of it. */
  stop: string[];
  /** Tokens that end the answer, beside the model's own end tokens. */
  stopTokens: number[];
  /** Go on when the model says that it is done. */
  ignoreEnd: boolean;
  /** When the caller asked, in ms since 1970. */
  submittedAt: number;
}

/** Why an answer ended: the model or a stop string or token, the limit of tokens, or the caller. */
export type FinishReason = "stop" | "length" | "abort";

/** A generated token with its log-probability in the model's raw distribution. */
export interface TokenLogprob {
  id: number;
  text: string;
  logprob: number;
  /** The likeliest tokens at this place, best first. */
  top: { id: number; text: string; logprob: number }[];
}

/** Tokens of a request. */
export interface Usage {
  promptTokens: number;
  /** All tokens that were chosen, a final end token included. */
  completionTokens: number;
}

/** How long a request took. */
export interface Timings {
  /** From the call to the first token, in ms; undefined when there was none. */
  ttftMs?: number;
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
}

/** An error as a plain object. */
export interface WireError {
  name: string;
  message: string;
}

/** What one step did for one request. */
export interface StepEvent {
  id: number;
  text: string;
  logprobs?: TokenLogprob[];
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
  hasChatTemplate: boolean;
  /** The instruction set level in use. */
  isa: string;
  threads: number;
}

/** Options of the engine that travel to it. */
export type EngineOptions = Omit<RunnerOptions, "progress" | "signal"> & {
  /** Most requests computed together; the others wait. */
  sequencesMax?: number;
};

/** Words of the shared memory. */
export const ControlWord = {
  /** Raised by the caller's thread when a long step should end early. */
  interrupts: 0,
  /** Raised by the engine while it works: a sign of life. */
  heartbeat: 1,
} as const;

export type ToEngine =
  | { type: "load"; path: string; options: EngineOptions; control?: SharedArrayBuffer }
  | { type: "generate"; id: number; request: GenerationRequest }
  | { type: "abort"; id: number }
  | { type: "tokenize"; id: number; text: string; addSpecial: boolean; parseSpecial: boolean }
  | { type: "detokenize"; id: number; tokens: number[]; special: boolean }
  | { type: "ping" }
  | { type: "close" };

export type FromEngine =
  | { type: "progress"; doneBytes: number; totalBytes: number }
  | { type: "loaded"; info: ModelInfo }
  | { type: "failed"; error: WireError }
  | { type: "step"; events: StepEvent[] }
  | { type: "reply"; id: number; value?: number[] | string; error?: WireError }
  | { type: "closed" };
