import type { RefusalReason, StepItem } from "../../scheduler/mod.ts";
import type { FinishReason, StepEvent, Usage } from "../protocol/answer.ts";
import type { EmbeddingRequest } from "../protocol/request.ts";
import { Pooler } from "./pooler.ts";
import type { Wants, Work, WorkPlan } from "./work.ts";

/** A prompt whose embedding is wanted: it takes hidden states and chooses no token. */
export class EmbeddingWork implements Work {
  readonly id: number;
  readonly request: EmbeddingRequest;
  readonly plan: WorkPlan;
  finishReason?: FinishReason;
  overruled?: RefusalReason;
  readonly #pooler: Pooler;
  #cachedTokens = 0;
  #startedAt?: number;
  #embedding?: Float32Array;

  /** `hidden`: elements of a hidden state. */
  constructor(id: number, request: EmbeddingRequest, promptTokens: readonly number[], hidden: number) {
    this.id = id;
    this.request = request;
    this.overruled = request.overrule?.reason;
    this.#pooler = new Pooler(request.pooling, hidden);
    this.plan = { tokens: promptTokens, maxTokens: 1, sharesPrefix: !this.#pooler.needsAll };
  }

  get usage(): Usage {
    return {
      promptTokens: this.plan.tokens.length,
      cachedTokens: this.#cachedTokens,
      completionTokens: 0,
    };
  }

  start(now: number, first: number): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = now;
    this.#cachedTokens = first;
  }

  wants(item: StepItem): Wants {
    return { hidden: this.#pooler.wanted(item), scored: [] };
  }

  takeHidden(states: Float32Array, first: number): void {
    this.#pooler.add(states, first);
  }

  pass({ reachesEnd }: StepItem): void {
    if (!reachesEnd) return;
    this.#embedding = this.#pooler.finish();
    this.finishReason = "stop";
  }

  finish(reason: FinishReason): void {
    this.finishReason = reason;
  }

  takeEvent(now: number): StepEvent | null {
    const { finishReason, overruled, request: { submittedAt, restored } } = this;
    if (finishReason === undefined) return null;
    const started = this.#startedAt;
    return {
      id: this.id,
      tokens: [],
      text: "",
      completion: {
        finishReason,
        usage: this.usage,
        timings: {
          queueMs: started === undefined || restored !== undefined ? undefined : started - submittedAt,
          totalMs: now - submittedAt,
        },
        // Nothing was drawn.
        seed: 0,
        ...overruled === undefined ? {} : { overruled },
        ...this.#embedding === undefined ? {} : { embedding: this.#embedding },
      },
    };
  }
}
