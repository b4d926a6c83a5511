import type { RefusalReason } from "../../scheduler/mod.ts";
import type { Generation } from "./generation.ts";
import type { Link } from "./link.ts";
import type { FromEngine, ToEngine } from "../protocol/messages.ts";
import type { StepEvent } from "../protocol/answer.ts";
import { isEmbedding, type WorkRequest } from "../protocol/request.ts";

/** What a worker is asked beside generations, and what it answers. */
export type Question = Extract<ToEngine, { type: "tokenize" | "detokenize" | "render" | "stats" }>;
/** Undefined: there is nobody who could tell. */
export type Answered = Extract<FromEngine, { type: "reply" }>["value"];

/** A question that has not been answered. */
export interface PendingQuestion {
  readonly message: Question;
  readonly reply: PromiseWithResolvers<Answered>;
  /** The place whose worker is meant; undefined: any will do. */
  readonly slot?: number;
  /** Who has it. */
  link: Link | null;
  /** Workers that ended with it while no step was under way. */
  deaths: number;
}

/**
 * A token after the place where the first worker ended clears a request. After so many it does not: workers may end of it at
 * another place each time, so it is only cleared by its end.
 */
const DEATHS_UNTIL_THE_END = 2;

/** A request that has not ended: all that another worker needs to go on with it. */
export class PendingRequest {
  readonly id: number;
  readonly generation: Generation;
  /** Priority of its class. */
  readonly priority: number;
  /** Who has it; null: it waits for a worker. */
  link: Link | null = null;
  isAborted = false;
  /** Tokens that its prompt was taken to have; null where they are counted. */
  promptEstimate: number | null = null;
  /** Workers that ended while they computed it. */
  deaths = 0;
  /** Whether it is not cleared of the last of them. */
  isSuspect = false;
  #request: WorkRequest;
  readonly #emitted: number[];
  /** Tokens of the prompt whose scores were delivered. */
  #scored = 0;
  readonly #now: () => number;
  /** Whether a worker has had it that is gone. */
  #isRestored = false;
  #ttftMs?: number;

  /** `now`: ms since 1970. */
  constructor(
    id: number,
    request: WorkRequest,
    priority: number,
    generation: Generation,
    now: () => number,
  ) {
    this.id = id;
    this.generation = generation;
    this.priority = priority;
    this.#request = request;
    this.#emitted = [...request.restored ?? []];
    this.#now = now;
  }

  /** Tokens that were delivered. */
  get emitted(): number {
    return this.#emitted.length;
  }

  /** The request as a worker is to get it now. */
  get message(): WorkRequest {
    if (!this.#isRestored) return this.#request;
    const restored = { ...this.#request, restored: [...this.#emitted] };
    return this.#scored === 0 || isEmbedding(restored)
      ? restored
      : { ...restored, promptScored: this.#scored };
  }

  /** Whether a worker has had it that is gone: then it was taken, and is not refused. */
  get isRestored(): boolean {
    return this.#isRestored;
  }

  get class(): string {
    return this.#request.class;
  }

  /** Its rank within its class. */
  get rank(): number {
    return this.#request.priority;
  }

  get deadlineMs(): number | undefined {
    return this.#request.deadlineMs;
  }

  get prompt(): WorkRequest["prompt"] {
    return this.#request.prompt;
  }

  get tenant(): string {
    return this.#request.tenant;
  }

  /** Most tokens that it gives; an embedding takes as long as one. */
  get maxTokens(): number | undefined {
    return isEmbedding(this.#request) ? 1 : this.#request.maxTokens;
  }

  /** Whether it is taken for measuring although it would be refused. */
  overrule(reason: RefusalReason): boolean {
    if (this.#request.overrule === undefined) return false;
    this.#request = { ...this.#request, overrule: { reason } };
    return true;
  }

  /** Its worker is gone. */
  lose(): void {
    this.link = null;
    this.#isRestored = true;
  }

  /** Takes what a step gave. */
  push(event: StepEvent): void {
    if (event.tokens.length > 0) {
      if (this.deaths < DEATHS_UNTIL_THE_END) this.isSuspect = false;
      this.#emitted.push(...event.tokens);
      this.#ttftMs ??= this.#now() - this.#request.submittedAt;
    }
    this.#scored += event.promptLogprobs?.length ?? 0;
    const { completion } = event;
    if (completion === undefined || !this.#isRestored) return this.generation.push(event);
    // The last worker knows only when it chose a token first.
    const timings = { ...completion.timings, ttftMs: this.#ttftMs };
    this.generation.push({ ...event, completion: { ...completion, timings } });
  }
}
