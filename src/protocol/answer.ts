/**
 * What an engine answers: tokens with their probabilities, what was counted and how long it took, errors.
 * @module
 */

import type { RefusalReason } from "../../scheduler/mod.ts";
import type { ThoughtsAt } from "../grammar/thoughts/format.ts";
import type { PromptDigest } from "./receipts/token_chain.ts";

/**
 * Why an answer ended: the model or a stop string or token, the limit of tokens, the caller, or its deadline.
 */
export type FinishReason = "stop" | "length" | "abort" | "deadline";

/** A token that could have been chosen, with its log-probability in the model's raw distribution. */
export interface TopLogprob {
  id: number;
  /**
   * The token as a text to show: what its bytes say, `bytes:\xe3\x81` where they are not whole characters,
   * the name of a control token.
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
  /** Those of them that are thoughts, marks included; undefined where the model does not mark any. */
  reasoningTokens?: number;
  /** Where the answer was foretold: tokens that were guessed and right, and guessed and wrong. */
  acceptedPredictionTokens?: number;
  rejectedPredictionTokens?: number;
}

/** How long a request took. */
export interface Timings {
  /** From the call to the first token, in ms; undefined when there was none. */
  ttftMs?: number;
  /**
   * From the call to the first step that computed some of it, in ms; undefined when there was none, or when
   * another worker had it before, which alone knows.
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
  /**
   * The stop string, or the id of the stop token, of the request's own that ended it; none: the model's own
   * end did, or nothing.
   */
  stop?: string | number;
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
  /**
   * Set with the first event of an accepted request, before anything is computed for it: tokens of its
   * prompt.
   */
  promptTokens?: number;
  /** Beside them, where a key was given: a hash for each full block of the prompt. */
  prefixHashes?: string[];
  /** And, where the model marks its thoughts in a conversation, where its answer begins. */
  thoughts?: ThoughtsAt;
  /** And, where the answer is to be proven, the hashes of the prompt. */
  promptDigest?: PromptDigest;
  /** Tokens that were chosen. */
  tokens: number[];
  /** What they add to the text; some add nothing yet. */
  text: string;
  /**
   * Of these tokens, where they were asked for; of the one that ends the answer only if so asked. Their text
   * may come later.
   */
  logprobs?: TokenLogprob[];
  /** The next tokens of the prompt, where they are scored. */
  promptLogprobs?: PromptLogprob[];
  /** Set with the last event of a request that succeeded. */
  completion?: Completion;
  /** Set with the last event of a request that failed. */
  error?: WireError;
}

/** What a step added to an answer. */
export interface AnswerPart extends Pick<StepEvent, "tokens" | "text" | "logprobs" | "promptLogprobs"> {
  /** What the model thinks, where that is told apart from the text. */
  reasoning?: string;
}
