/** The answers to one request: asked of the engine together, watched, and ended together. @module */

import { IN_FLIGHT_MAX, inOrder } from "../client/embedding.ts";
import type { Generation, GenerationResult } from "../client/generation.ts";
import type { ThoughtsAt } from "../grammar/thoughts/format.ts";
import type { AnswerPart } from "../protocol/answer.ts";
import type {
  ChatOptions,
  EmbedOptions,
  GenerationListener,
  GenerationOptions,
} from "../protocol/options/generation.ts";
import type { ChatMessage, Pooling, Prompt } from "../protocol/request.ts";
import type { ApiError } from "./api_error.ts";
import { toApiError } from "./errors.ts";
import type { Plan, Work } from "./dialects/dialect.ts";
import type { RequestObserver } from "./observer.ts";
import { clientLeft } from "./presence.ts";
import type { ReceiptOffice } from "./receipts/office.ts";
import { printFault } from "../process/print.ts";

/** Who answers: a model, or what stands for one. */
export interface Answerer {
  chat(messages: readonly ChatMessage[], options: ChatOptions): Generation;
  generate(prompt: string | readonly number[], options: GenerationOptions): Generation;
  startEmbedding(
    text: Prompt,
    options: Omit<EmbedOptions, "dimensions"> & GenerationListener & { pooling: Pooling },
  ): Generation;
}

/** Who hears of a run. */
export interface RunListener {
  accepted?(index: number, promptTokens: number, thoughts?: ThoughtsAt): void;
  part(index: number, part: AnswerPart): void;
  ended(index: number, result: GenerationResult): void;
}

export interface RunOptions {
  /** The server's id of the request. */
  readonly id: string;
  readonly tenant: string;
  /** The path that was asked. */
  readonly endpoint: string;
  /** The value of the request's body. */
  readonly body: unknown;
  readonly observer: RequestObserver;
  readonly receipts: ReceiptOffice;
  readonly listener?: RunListener;
  /** When the request came, in ms of performance.now(). */
  readonly startedAt: number;
  /** The model's name for the observer, where there are several. */
  readonly modelLabel?: string;
  /** Its name where another server answers. */
  readonly modelElsewhere?: string;
}

interface Watched {
  readonly id: string;
  isAccepted: boolean;
  isOver: boolean;
  promptTokens: number;
  tokens: number;
  lastAt: number;
}

/** Answers on their way. */
export class Run {
  /** Resolves when the engine has taken all of them; rejects with an ApiError. */
  readonly accepted: Promise<void>;
  /** All answers. Rejects with an ApiError when one fails: then the others are ended, too. */
  readonly results: Promise<GenerationResult[]>;
  readonly #options: RunOptions;
  readonly #plan: Plan;
  readonly #abort = new AbortController();
  readonly #accepted = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #watched: Watched[];
  #error: ApiError | null = null;

  constructor(model: Answerer, plan: Plan, options: RunOptions) {
    this.#options = options;
    this.#plan = plan;
    this.accepted = this.#accepted.promise;
    const count = plan.works.length;
    this.#watched = plan.works.map((_, i) => ({
      id: count === 1 ? options.id : `${options.id}-${i}`,
      isAccepted: false,
      isOver: false,
      promptTokens: 0,
      tokens: 0,
      lastAt: 0,
    }));
    const answers = inOrder(plan.works, (work, i) => {
      if (this.#error !== null) throw this.#error;
      return this.#follow(i, () => this.#start(model, work, i));
    }, IN_FLIGHT_MAX);
    this.results = Promise.race([this.#failed.promise, answers]);
    for (const promise of [this.accepted, this.results, this.#failed.promise]) promise.catch(() => {});
  }

  /** Ends all answers. What was asked for them is freed; nothing more is heard of them. */
  cancel(): void {
    this.fail(clientLeft());
  }

  /** Ends all answers with an error. */
  fail(error: ApiError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#accepted.reject(error);
    this.#failed.reject(error);
    this.#abort.abort();
  }

  #start(model: Answerer, work: Work, index: number): Generation {
    const heard = {
      signal: this.#abort.signal,
      onAccepted: (promptTokens: number, prefixHashes?: readonly string[], thoughts?: ThoughtsAt) =>
        this.#accept(index, promptTokens, prefixHashes, thoughts),
      onPart: (part: AnswerPart) => this.#part(index, part),
    };
    if (work.kind === "embedding") {
      return model.startEmbedding(work.prompt, { ...work.options, ...heard, pooling: work.pooling });
    }
    const { prompt } = work;
    const options = this.#options.receipts.keepsAll ? { ...work.options, receipt: true } : work.options;
    if ("messages" in prompt) {
      const { messages, ...shape } = prompt;
      return model.chat(messages, { ...options, ...heard, ...shape });
    }
    return model.generate("text" in prompt ? prompt.text : prompt.tokens, { ...options, ...heard });
  }

  get #label(): { model?: string } {
    const { modelLabel: model } = this.#options;
    return model === undefined ? {} : { model };
  }

  #accept(
    index: number,
    promptTokens: number,
    prefixHashes?: readonly string[],
    thoughts?: ThoughtsAt,
  ): void {
    const watched = this.#watched[index];
    if (watched.isAccepted) return;
    watched.isAccepted = true;
    watched.promptTokens = promptTokens;
    const { tenant, observer, listener, startedAt, modelElsewhere } = this.#options;
    listener?.accepted?.(index, promptTokens, thoughts);
    const { class: name } = this.#plan;
    observer.accepted({
      id: watched.id,
      class: name,
      promptTokens,
      tenant,
      startedAt,
      prefixHashes,
      ...modelElsewhere === undefined ? {} : { modelElsewhere },
      ...this.#label,
    });
    if (this.#watched.every(({ isAccepted }) => isAccepted)) this.#accepted.resolve();
  }

  #part(index: number, part: AnswerPart): void {
    if (this.#error !== null) return;
    const { observer, listener, startedAt } = this.#options;
    const watched = this.#watched[index];
    const count = part.tokens.length;
    if (count > 0) {
      const now = performance.now();
      if (watched.tokens === 0) {
        observer.firstToken(watched.id, now - startedAt);
        observer.tokens(watched.id, count, new Array(count - 1).fill(0));
      } else {
        // The tokens of one step come together: the first of them after a while, the others at once.
        const itlMs = new Array<number>(count).fill(0);
        itlMs[0] = now - watched.lastAt;
        observer.tokens(watched.id, count, itlMs);
      }
      watched.tokens += count;
      watched.lastAt = now;
    }
    listener?.part(index, part);
  }

  async #follow(index: number, start: () => Generation): Promise<GenerationResult> {
    try {
      const result = await this.#proven(index, await start().result);
      this.#finish(
        index,
        this.#error === null ? result.finishReason : "abort",
        this.#error?.status ?? 200,
        result,
      );
      if (this.#error === null) this.#options.listener?.ended(index, result);
      return result;
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.status === 500) printFault(`kumi: request ${this.#options.id} failed:`, thrown);
      this.#finish(index, "error", error.status, undefined, error.code);
      this.fail(error);
      throw error;
    }
  }

  /** The result with its receipt as the client gets it, if it wants one. */
  async #proven(index: number, result: GenerationResult): Promise<GenerationResult> {
    const { receipt, ...rest } = result;
    if (receipt === undefined) return result;
    const issued = await this.#options.receipts.issue({ ...rest, receipt }, index, this.#options);
    const work = this.#plan.works[index];
    return work.kind === "generating" && work.options.receipt === true ? { ...rest, receipt: issued } : rest;
  }

  #finish(index: number, reason: string, status: number, result?: GenerationResult, code?: string): void {
    const watched = this.#watched[index];
    const { observer, startedAt } = this.#options;
    if (watched.isOver) return;
    watched.isOver = true;
    if (!watched.isAccepted) {
      const { id } = this.#options;
      observer.refused({ id, class: this.#plan.class, reason: code ?? reason, status, ...this.#label });
      return;
    }
    observer.finished(watched.id, {
      reason,
      status,
      promptTokens: result?.usage.promptTokens ?? watched.promptTokens,
      cachedTokens: result?.usage.cachedTokens ?? 0,
      completionTokens: result?.usage.completionTokens ?? watched.tokens,
      isEmbedding: result?.embedding !== undefined,
      queueMs: result?.timings.queueMs,
      e2eMs: performance.now() - startedAt,
    });
  }
}
