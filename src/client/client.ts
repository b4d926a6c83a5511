import { AnswerLengths, DEFAULT_CLASSES, PromptLengths, type Refusal, Router } from "../../scheduler/mod.ts";
import { wallClock } from "../protocol/clock.ts";
import { EngineError, fromWireError, QuarantineError } from "../protocol/errors.ts";
import { Generation, type GenerationParts } from "./generation.ts";
import type { GenerationListener } from "../protocol/options/generation.ts";
import type { Link, ServingMessage } from "./link.ts";
import { Overrule } from "./overrule.ts";
import { type Answered, type PendingQuestion, PendingRequest, type Question } from "./pending.ts";
import { type Health, type StartOptions, WorkerPool } from "./pool.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type { StepEvent } from "../protocol/answer.ts";
import type { ChatMessage, PromptShape, RenderedChat, WorkRequest } from "../protocol/request.ts";
import { refusal } from "../protocol/refusal.ts";
import { promptUnits } from "./routing.ts";
import type { EngineStats } from "../protocol/stats.ts";
import type { Blame, Transport } from "./transport.ts";

export type { Health, StartOptions, WorkerHealth } from "./pool.ts";

/** Figures of the worker in one place; they begin anew when another one takes it. */
export interface WorkerStats extends EngineStats {
  /** The place: its index in {@linkcode Health.workers}. */
  worker: number;
}

/** How figures are asked for. All optional. */
export interface StatsOptions {
  /** Whether each worker also tells what it does at the moment; default false. */
  readonly view?: boolean;
}

/** Figures of a model's workers. */
export interface ModelStats {
  /** One for each worker; a stuck one cannot tell. */
  readonly workers: readonly WorkerStats[];
  /** Workers that took the place of others. */
  readonly restarts: number;
  /** Requests that were given up because workers ended while they computed them. */
  readonly quarantined: number;
  /** Requests that have not ended. */
  readonly pending: number;
}

/** A request that nobody has asked for yet. */
export interface OutlookRequest {
  /** Name of its latency class. */
  readonly class: string;
  /** Tokens of its prompt, about: a quarter of a text's UTF-16 units. */
  readonly promptUnits: number;
  /** Most tokens of its answer; undefined: any number. */
  readonly maxTokens?: number;
  /** Ms from now in which it has to end. */
  readonly deadlineMs?: number;
}

/** What it would find. */
export interface RequestOutlook {
  /** It would be refused. */
  readonly refuses: boolean;
  /**
   * Ms until its first token; absent before steps were measured, and in a class that promises nothing.
   */
  readonly ttftMs?: number;
}

/** So many workers may end while they compute a request and nothing clears it in between; then it is not tried again. */
const DEATHS_MAX = 2;

/**
 * The caller's side of the engine: gives each request to a worker and keeps what the worker has said, so that another
 * one can go on with it to the same bits. Nothing here computes or waits for a worker: the caller's thread stays free.
 */
export class EngineClient implements AsyncDisposable {
  readonly #router = new Router({ deathsMax: DEATHS_MAX });
  readonly #priorities: ReadonlyMap<string, number>;
  readonly #overrule: Overrule | null;
  readonly #hasStore: boolean;
  readonly #lengths = new AnswerLengths();
  readonly #promptLengths = new PromptLengths();
  /** In the order in which they came. */
  readonly #requests = new Map<number, PendingRequest>();
  readonly #questions = new Map<number, PendingQuestion>();
  #pool!: WorkerPool;
  #info!: ModelInfo;
  /** The suspect that is tried again; the others wait, so that if a worker ends it is known of whom. */
  #trial: PendingRequest | null = null;
  #nextId = 1;
  #quarantined = 0;
  #dead: EngineError | null = null;
  #isClosing = false;

  private constructor({ engine, overrule }: StartOptions) {
    this.#overrule = overrule === undefined ? null : new Overrule(overrule);
    this.#hasStore = engine.prefixStore !== undefined;
    const classes = engine.classes ?? DEFAULT_CLASSES;
    this.#priorities = new Map(classes.map(({ name, priority }) => [name, priority]));
  }

  /**
   * Loads a model. When that fails or is aborted its workers are gone, with everything that they had allocated.
   * `createTransport` is called for each worker and each time that one is replaced, with the number of its place.
   */
  static async start(
    createTransport: (worker: number) => Transport,
    options: StartOptions,
  ): Promise<EngineClient> {
    const client = new EngineClient(options);
    client.#pool = await WorkerPool.start(createTransport, options, {
      ready: (link) => client.#welcome(link),
      message: (link, message) => client.#receive(link, message),
      lost: (link, reason, blame) => client.#lose(link, reason, blame),
      ended: (error) => client.#die(error),
    });
    for (const { id } of client.#pool.links) client.#router.addWorker(id);
    client.#info = client.#pool.links[0].info!;
    return client;
  }

  /** What was loaded. */
  get info(): ModelInfo {
    return this.#info;
  }

  /** Starts an answer. An aborted signal ends it with what it has so far. */
  generate(request: WorkRequest, parts: GenerationParts = {}, listener: GenerationListener = {}): Generation {
    this.#assertOpen();
    const { signal } = parts;
    const id = this.#nextId++;
    const onAbort = () => this.#abort(id);
    const generation = new Generation(onAbort, listener, parts);
    const priority = this.#priorities.get(request.class) ?? 0;
    const told = this.#overrule?.draw() ? { ...request, overrule: {} } : request;
    const pending = new PendingRequest(id, told, priority, generation, wallClock);
    this.#requests.set(id, pending);
    pending.isAborted = signal?.aborted ?? false;
    this.#dispatch(pending);
    signal?.addEventListener("abort", onAbort, { once: true });
    const forget = () => signal?.removeEventListener("abort", onAbort);
    generation.result.then(forget, forget);
    return generation;
  }

  /** What a request would find if it came now. Asks no worker. */
  outlook({ class: name, promptUnits, maxTokens, deadlineMs }: OutlookRequest): RequestOutlook {
    const tokens = this.#promptLengths.tokens(promptUnits);
    const unseen = { class: name, tokens, maxTokens, deadlineMs };
    const links = this.#pool.readyLinks;
    const times = links.flatMap((link) => link.expectedTtftMs(unseen) ?? []);
    return {
      refuses: links.length === 0 || links.every((link) => link.refusalFor(unseen) !== null),
      ...times.length === 0 ? {} : { ttftMs: Math.min(...times) },
    };
  }

  /** Token ids of a text. */
  tokenize(text: string, options: { addSpecial: boolean; parseSpecial: boolean }): Promise<number[]> {
    return this.#ask((id) => ({ type: "tokenize", id, text, ...options })) as Promise<number[]>;
  }

  /** The prompt that a conversation becomes. */
  render(messages: ChatMessage[], shape: PromptShape): Promise<RenderedChat> {
    return this.#ask((id) => ({ type: "render", id, messages, shape })) as Promise<RenderedChat>;
  }

  /** The text of tokens. */
  detokenize(tokens: number[], special: boolean): Promise<string> {
    return this.#ask((id) => ({ type: "detokenize", id, tokens, special })) as Promise<string>;
  }

  /**
   * Figures of all workers. Each answers between two steps, a new one when it has loaded. `view`: with what
   * each engine does at the moment.
   */
  async stats({ view }: StatsOptions = {}): Promise<ModelStats> {
    const answers = await Promise.all(
      this.#pool.links.map((_, slot) => this.#ask((id) => ({ type: "stats", id, view }), slot)),
    );
    return {
      workers: answers.flatMap((answer, worker) =>
        answer === undefined ? [] : [{ worker, ...answer as EngineStats }]
      ),
      restarts: this.#pool.health.restarts,
      quarantined: this.#quarantined,
      pending: this.#requests.size,
    };
  }

  /** Whether requests can be served. Asks no worker. */
  health(): Health {
    return this.#pool.health;
  }

  /** Ends all requests, frees the model and waits until its workers are gone. May be called again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#failAll(new EngineError("The model was closed before the request was done"));
    await this.#pool.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#dead !== null) throw new EngineError(this.#dead.message);
    if (this.#isClosing) throw new EngineError("The model is closed");
  }

  /** Gives a request to a worker, or leaves it waiting for one. */
  #dispatch(pending: PendingRequest): void {
    const { id, tenant, priority, prompt, emitted, maxTokens } = pending;
    if (pending.link !== null || !this.#requests.has(id)) return;
    if (pending.isSuspect && this.#trial !== null) return;
    const expectedTokens = this.#lengths.remaining(emitted, maxTokens);
    const units = promptUnits(prompt);
    const { unitsPerToken } = units;
    // The caller's thread does not count the tokens of texts.
    pending.promptEstimate = unitsPerToken === undefined ? null : units.tokens.length / unitsPerToken;
    const about = (tokens: number) =>
      unitsPerToken === undefined ? tokens : this.#promptLengths.tokens(tokens);
    const worker = this.#router.route({ id, tenant, priority, expectedTokens, ...units });
    const link = this.#pool.readyLinks.find((each) => each.id === worker);
    if (link === undefined) {
      if (!this.#pool.isExpecting) {
        this.#fail(pending, new EngineError("All workers of the engine are stuck"));
      }
      return;
    }
    const unseen = {
      class: pending.class,
      tokens: about(this.#router.promptTokens(id)),
      contextTokens: about(pending.promptEstimate ?? units.tokens.length),
      maxTokens,
      priority: pending.rank,
      deadlineMs: pending.deadlineMs,
    };
    const refused = pending.isRestored || pending.isAborted ? null : link.refusalFor(unseen);
    if (refused !== null && !this.#mayBeStored(refused) && !pending.overrule(refused.reason)) {
      link.noteRefused(pending.class);
      return this.#fail(pending, refusal(pending, refused));
    }
    pending.link = link;
    if (pending.isSuspect) this.#trial = pending;
    try {
      const aborted = pending.isAborted ? { aborted: true } as const : {};
      link.ask(id, { type: "work", id, request: pending.message, ...aborted });
    } catch (error) {
      // A message that cannot be cloned.
      return this.#fail(pending, error instanceof Error ? error : new Error(String(error)));
    }
    link.noteSent(unseen);
  }

  /** Whether a prompt that takes too long may be stored, which the engine alone knows: then it decides. */
  #mayBeStored({ reason }: Refusal): boolean {
    return this.#hasStore && (reason === "slo" || reason === "deadline");
  }

  /** What waits goes on: first what was computed before, then in the order in which it came. */
  #dispatchWaiting(): void {
    const waiting = this.#requests.values().filter(({ link }) => link === null).toArray();
    const suspects = waiting.filter(({ isSuspect }) => isSuspect).sort((a, b) => b.priority - a.priority);
    for (const pending of suspects) this.#dispatch(pending);
    for (const pending of waiting) if (!pending.isSuspect) this.#dispatch(pending);
  }

  #abort(id: number): void {
    const pending = this.#requests.get(id);
    if (pending === undefined || pending.isAborted) return;
    // Without a worker it ends as soon as there is one, which knows what belongs to a completion.
    pending.isAborted = true;
    pending.link?.abort(id);
  }

  #ask(message: (id: number) => Question, slot?: number): Promise<Answered> {
    this.#assertOpen();
    const id = this.#nextId++;
    const reply = Promise.withResolvers<Answered>();
    const question = { message: message(id), reply, slot, link: null, deaths: 0 };
    this.#questions.set(id, question);
    this.#dispatchQuestion(question);
    return reply.promise;
  }

  #dispatchQuestion(question: PendingQuestion): void {
    const { message, reply, slot } = question;
    const links = slot === undefined ? this.#pool.readyLinks : [this.#pool.links[slot]];
    const link = links.toSorted((a, b) => this.#router.costOf(a.id) - this.#router.costOf(b.id))[0];
    if (link?.state === "ready") {
      question.link = link;
      link.ask(message.id, message);
    } else if (link?.state === "stuck" || slot !== undefined && this.#pool.isWaiting(slot)) {
      this.#questions.delete(message.id);
      reply.resolve(undefined);
    } else if (!this.#pool.isExpecting) {
      this.#questions.delete(message.id);
      reply.reject(new EngineError("All workers of the engine are stuck"));
    }
  }

  #welcome(link: Link): void {
    this.#router.addWorker(link.id);
    this.#dispatchWaiting();
    for (const question of this.#questions.values()) {
      if (question.link === null) this.#dispatchQuestion(question);
    }
  }

  #receive(link: Link, message: ServingMessage): void {
    if (message.type === "step") {
      if (message.events.some(({ tokens }) => tokens.length > 0)) this.#pool.noteStep(link);
      for (const event of message.events) this.#deliver(link, event);
      return;
    }
    const question = this.#questions.get(message.id);
    if (question?.link !== link) return;
    this.#questions.delete(message.id);
    link.settle(message.id);
    if (message.error !== undefined) question.reply.reject(fromWireError(message.error));
    else question.reply.resolve(message.value);
  }

  #deliver(link: Link, event: StepEvent): void {
    const pending = this.#requests.get(event.id);
    if (pending === undefined || !this.#router.owns(link.id, event.id)) return;
    if (event.error !== undefined) return this.#fail(pending, fromWireError(event.error));
    if (event.promptTokens !== undefined && pending.promptEstimate !== null) {
      this.#promptLengths.add(pending.promptEstimate, event.promptTokens);
    }
    const wasSuspect = pending.isSuspect;
    pending.push(event);
    if (wasSuspect && !pending.isSuspect) this.#router.acquit(pending.id);
    if (event.completion !== undefined) {
      const { finishReason, usage, embedding } = event.completion;
      const isWhole = finishReason === "stop" || finishReason === "length";
      if (isWhole && embedding === undefined && pending.maxTokens !== 0) {
        this.#lengths.add(usage.completionTokens);
      }
      return this.#forget(pending);
    }
    this.#router.progress(pending.id, this.#lengths.remaining(pending.emitted, pending.maxTokens));
    if (pending === this.#trial && !pending.isSuspect) this.#endTrial();
  }

  #fail(pending: PendingRequest, error: Error): void {
    pending.generation.fail(error);
    this.#forget(pending);
  }

  #forget(pending: PendingRequest): void {
    const { id, link } = pending;
    this.#requests.delete(id);
    this.#router.end(id);
    link?.settle(id);
    if (pending === this.#trial) this.#endTrial();
  }

  #endTrial(): void {
    this.#trial = null;
    if (this.#dead === null && !this.#isClosing) this.#dispatchWaiting();
  }

  /** A worker is gone: others go on with what it had. */
  #lose(link: Link, reason: string, blame: Blame): void {
    if (this.#dead !== null) return;
    const isAccused = blame === "step";
    const isComputing = (link.stepIds?.length ?? 0) > 0;
    const { replay, quarantined } = this.#router.loseWorker(link.id, isAccused ? this.#accuse(link) : []);
    for (const id of quarantined) {
      const pending = this.#requests.get(id)!;
      this.#quarantined++;
      this.#fail(pending, new QuarantineError(pending.deaths, reason));
    }
    for (const id of replay) this.#requests.get(id)!.lose();
    // If its trial was cut short, the same one is next.
    if (this.#trial?.link === null) this.#trial = null;
    this.#dispatchWaiting();
    for (const question of this.#questions.values()) {
      if (question.link !== link) continue;
      question.link = null;
      if (isAccused && !isComputing) question.deaths++;
      if (question.deaths < DEATHS_MAX) this.#dispatchQuestion(question);
      else {
        this.#questions.delete(question.message.id);
        question.reply.reject(new QuarantineError(question.deaths, reason));
      }
    }
  }

  /**
   * The requests of which a worker may have died: those in its step, or all that it had where nothing tells. But if
   * one of them is on trial, the others have already got further than where they were suspected.
   */
  #accuse(link: Link): number[] {
    const own = this.#requests.values().filter((pending) => pending.link === link).toArray();
    const ids = link.stepIds;
    const present = ids === undefined ? own : own.filter(({ id }) => ids.includes(id));
    const accused = present.filter((pending) => pending === this.#trial);
    if (accused.length === 0) accused.push(...present);
    for (const pending of accused) {
      pending.deaths++;
      pending.isSuspect = true;
    }
    return accused.map(({ id }) => id);
  }

  #die(error: EngineError): void {
    this.#dead = error;
    this.#failAll(error);
  }

  #failAll(error: EngineError): void {
    for (const pending of [...this.#requests.values()]) this.#fail(pending, error);
    for (const { reply, link, message } of this.#questions.values()) {
      reply.reject(error);
      link?.settle(message.id);
    }
    this.#questions.clear();
  }
}
