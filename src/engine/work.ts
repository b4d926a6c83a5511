/** A request that an engine computes. @module */

import type { RefusalReason, StepItem } from "../../scheduler/mod.ts";
import type { FinishReason, StepEvent, Usage } from "../protocol/answer.ts";
import type { WorkRequest } from "../protocol/request.ts";
import type { SamplingParams } from "../protocol/sampling.ts";
import type { SampledToken } from "../runner/sample_batch.ts";
import type { Constraint } from "./constraints.ts";
import type { ScoredRow } from "./prompt_scorer.ts";

/** What is chosen a token after the last row of a slice. */
export interface Chooser {
  /** How its next token is chosen. */
  readonly sampling: SamplingParams;
  /** What it must follow, if anything. */
  readonly constraint?: Constraint;
  /** Returns the token that it took: another one where one must come. */
  accept(token: SampledToken, now: number): number;
  /** Takes the tokens behind it to which there is no other: nobody need compute logits for them. */
  takeForced(now: number): readonly number[];
  /** Notes that so many tokens were guessed, and so many of them right. */
  noteGuesses(guessed: number, right: number): void;
}

/** What a work wants of a step that computes a slice of its tokens. */
export interface Wants {
  /** So many hidden states, from the slice's end; they are given to `takeHidden`. */
  readonly hidden: number;
  /** Rows whose logits score tokens of its prompt. */
  readonly scored: readonly ScoredRow[];
  /** Set: the slice reaches the end of its tokens, and the next one is wanted. */
  readonly token?: Chooser;
}

/** What the scheduler is told of a work. */
export interface WorkPlan {
  /** Tokens to compute. */
  readonly tokens: readonly number[];
  /** Most tokens that it is going to have after them; at least 1. */
  readonly maxTokens: number;
  /** Whether keys and values that are known may stand for computing. */
  readonly sharesPrefix: boolean;
  /** Whether steps may guess its next tokens; default true. */
  readonly speculates?: boolean;
  /** What its answer is expected to be, if anything. */
  readonly foretold?: readonly number[];
}

/** A request on its way: an answer that is generated, or an embedding. */
export interface Work {
  readonly id: number;
  readonly request: WorkRequest;
  readonly plan: WorkPlan;
  readonly usage: Usage;
  /** What its answer must follow; given back when it ends. */
  readonly constraint?: Constraint;
  /** Set when it has ended. */
  readonly finishReason?: FinishReason;
  /** Why it would have been refused, if it would have been. */
  overruled?: RefusalReason;
  /**
   * Notes that a step computes some of it from token `first` on; the first time the tokens before came from
   * the cache.
   */
  start(now: number, first: number): void;
  /** What it wants of a slice, whose first token is row `start` of the step. */
  wants(item: StepItem, start: number): Wants;
  /**
   * The hidden states that it wanted, [count, hidden] f32 row-major; the slice begins at position `first`.
   */
  takeHidden(states: Float32Array, first: number): void;
  /**
   * A slice was computed, and it has all that it wanted of it but a token: it ends where it wants no more.
   * Throws an Error where the model's numbers are none.
   */
  pass(item: StepItem): void;
  /** Ends it where it is. */
  finish(reason: FinishReason): void;
  /** What is new since the last call, or null. */
  takeEvent(now: number): StepEvent | null;
}
