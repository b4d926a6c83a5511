/** What a caller asks an engine for: a prompt and how its answer is to be made. @module */

import type { RefusalReason } from "../../scheduler/mod.ts";
import type { ChatTemplateOptions } from "../tokenizer/template_options.ts";
import type { ToolCall } from "../tokenizer/conversation.ts";
import type { SamplingParams } from "./sampling.ts";

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
export interface PromptShape extends Omit<ChatTemplateOptions, "now"> {
  /** The time that templates may write, in ms since 1970. Default: when the request came. */
  readonly now?: number;
}

/** A conversation in the words of the model's chat template. */
export interface RenderedChat {
  text: string;
  tokens: number[];
}

/** What a generation continues. */
export type Prompt =
  | { text: string }
  | { tokens: number[] }
  | { messages: ChatMessage[] } & PromptShape;

/** All {@linkcode Pooling}s. */
export const POOLINGS = ["mean", "last"] as const;
/** What becomes of the hidden states of a text's tokens: their mean, or the last one alone. */
export type Pooling = typeof POOLINGS[number];

/** What a checked request says whatever it asks for. */
interface CheckedRequest {
  prompt: Prompt;
  /** When the caller asked, in ms since 1970. */
  submittedAt: number;
  /** Name of the latency class. */
  class: string;
  /** Prefixes of prompts are only shared between requests of one tenant. */
  tenant: string;
  /** Higher goes first within the class. */
  priority: number;
  /** Ends the request so many ms after the call. */
  deadlineMs?: number;
  /**
   * Tokens that another worker has generated and delivered for this request before it ended: they are taken
   * as they are, and the answer goes on after them. A request that has this field was accepted before and is
   * never refused.
   */
  restored?: number[];
  /**
   * Taken even where it would be refused, for measuring. `reason`: why the caller's side would have refused
   * it.
   */
  overrule?: { reason?: RefusalReason };
}

/** Tokens are wanted that go on after the prompt. */
export interface GenerationRequest extends CheckedRequest {
  sampling: SamplingParams;
  /** Undefined: until the context is full. 0: only the prompt is computed. */
  maxTokens?: number;
  /** Set: the prompt's tokens are scored, each with so many of the likeliest at its place. */
  promptLogprobs?: number;
  /** Tokens of the prompt whose scores were delivered by another worker, which has ended. */
  promptScored?: number;
  /**
   * Whether the token that ends the answer has its log-probability told, too: it adds nothing to the text.
   */
  endLogprob?: boolean;
  /** Strings that end the answer and are not part of it. */
  stop: string[];
  /** Tokens that end the answer, beside the model's own end tokens. */
  stopTokens: number[];
  /** Go on when the model says that it is done. */
  ignoreEnd: boolean;
  /** The answer does not end by itself before it has so many tokens. */
  minTokens?: number;
  /** What the answer must be, compiled. It ends where nothing more may follow. */
  grammar?: Uint32Array<ArrayBuffer>;
  /** Whether the grammar's texts begin with thoughts, where an answer's do. */
  grammarThinks?: boolean;
  /** Whether what the grammar has open is closed when the limit of tokens comes near. */
  closeOnLength?: boolean;
  /** Most tokens of thoughts: then their end is written, and the answer goes on. */
  reasoningTokens?: number;
  /** Whether control tokens are written into the text. */
  specialTokens?: boolean;
  /** Whether steps may guess its next tokens; default true. */
  speculation?: boolean;
  /** What the answer is expected to be, to guess from. */
  prediction?: string;
  /** Whether the answer is to be proven: hashes of the prompt's tokens are told. */
  receipt?: boolean;
}

/** The prompt's embedding is wanted, and nothing is generated. */
export interface EmbeddingRequest extends CheckedRequest {
  pooling: Pooling;
}

/** What an engine is asked for. */
export type WorkRequest = GenerationRequest | EmbeddingRequest;

export function isEmbedding(request: WorkRequest): request is EmbeddingRequest {
  return "pooling" in request;
}
