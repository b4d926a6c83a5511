import { systemTimer, type Timer } from "../protocol/clock.ts";
import { EngineError } from "../protocol/errors.ts";
import { Link, type LinkEvents, type LinkState, type ServingMessage } from "./link.ts";
import { LoadProgressSum } from "./load_progress.ts";
import type { Machine } from "../protocol/messages.ts";
import type { SharedWeights } from "../models/loading.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { RestartBudget, type RestartLimits } from "./restart_budget.ts";
import type { OverruleOptions } from "../protocol/options/load.ts";
import type { Transport } from "./transport.ts";

/** What is asked of the workers when they start. */
export interface StartOptions extends RestartLimits {
  readonly path: string;
  /** What all workers have in common. */
  readonly engine: EngineOptions;
  /** What each worker has of its own, or how to find that out; default: one worker. */
  readonly workers?: readonly EngineOptions[] | ((machine: Machine) => readonly EngineOptions[]);
  /** Whether workers of one NUMA node share one copy of the weights; default true. */
  readonly shareWeights?: boolean | "all";
  readonly progress?: (doneBytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
  /** A worker that shows no sign of life for this long while work is pending is dead, or stuck in a step. Default 60 000. */
  readonly heartbeatMs?: number;
  /** After so many ms more in the same step it is stuck. Default 10 000. */
  readonly graceMs?: number;
  /** Called when a worker is stuck. Only the end of the process gets rid of it. */
  readonly onStuck?: (reason: string) => void;
  readonly timer?: Timer;
  /** Default: refusals are refusals. */
  readonly overrule?: OverruleOptions;
}

/** Whether requests can be served, and by whom. */
export interface Health {
  /** At least one worker is ready and none is stuck. */
  readonly ready: boolean;
  /** `silentMs`: for how long a worker has shown no sign of life although something is expected of it. */
  readonly workers: readonly { readonly state: LinkState; readonly silentMs: number }[];
  /** Workers that took the place of others. */
  readonly restarts: number;
}

/** Who hears of the workers once the first ones are ready. */
export interface PoolEvents {
  /** There is a new worker. */
  ready(link: Link): void;
  message(link: Link, message: ServingMessage): void;
  /** Nothing that a worker says counts any more. */
  lost(link: Link, reason: string): void;
  /** There are no workers any more, and there will be none. */
  ended(error: EngineError): void;
}

/** The place of a worker: who works there changes. */
interface Slot {
  readonly index: number;
  options: EngineOptions;
  readonly budget: RestartBudget;
  link: Link;
  /** Contexts of workers that have ended here and were not freed yet. */
  orphans: number[];
}

const HEARTBEAT_MS = 60_000;
const GRACE_MS = 10_000;
const LOADS_MAX = 2;

/** The workers of a model: starts them, shares weights between them, and replaces the ones that end. */
export class WorkerPool {
  readonly #createTransport: (worker: number) => Transport;
  readonly #options: StartOptions;
  readonly #events: PoolEvents;
  readonly #timer: Timer;
  readonly #linkEvents: LinkEvents;
  readonly #slots: Slot[] = [];
  readonly #restarting = new Set<Promise<void>>();
  /** Rejects when starting cannot succeed any more. */
  readonly #startFailed = Promise.withResolvers<never>();
  /** What the first worker was loaded with. */
  #sizes: Partial<Pick<ModelInfo, "contextLength" | "kvTokens">> | undefined;
  #nextId = 0;
  #restarts = 0;
  #isStarting = true;
  #isClosing = false;
  #hasEnded = false;

  private constructor(
    createTransport: (worker: number) => Transport,
    options: StartOptions,
    events: PoolEvents,
  ) {
    this.#createTransport = createTransport;
    this.#options = options;
    this.#events = events;
    this.#timer = options.timer ?? systemTimer;
    this.#startFailed.promise.catch(() => {});
    this.#linkEvents = {
      message: (link, message) => this.#pass(link, message),
      lost: (link, reason) => this.#lose(link, reason),
      ended: (link) => this.#replace(this.#slotOf(link), "it was stuck in one step"),
    };
  }

  /** Loads the model into all workers. When that fails or is aborted they are gone, with everything that they had. */
  static async start(
    createTransport: (worker: number) => Transport,
    options: StartOptions,
    events: PoolEvents,
  ): Promise<WorkerPool> {
    const { signal } = options;
    signal?.throwIfAborted();
    const pool = new WorkerPool(createTransport, options, events);
    const onAbort = () => pool.#startFailed.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([pool.#startFailed.promise, pool.#loadAll()]);
      pool.#isStarting = false;
      return pool;
    } catch (error) {
      await pool.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** The workers that are there now. */
  get links(): Link[] {
    return this.#slots.map(({ link }) => link);
  }

  /** The workers that take requests. */
  get readyLinks(): Link[] {
    return this.links.filter(({ state }) => state === "ready");
  }

  /** Whether a worker will be ready by itself. */
  get isExpecting(): boolean {
    return !this.#isOver && this.#restarting.size > 0;
  }

  get #isOver(): boolean {
    return this.#isClosing || this.#hasEnded;
  }

  get health(): Health {
    const workers = this.links.map(({ state, silentMs }) => ({ state, silentMs: Math.round(silentMs) }));
    const isReady = workers.some(({ state }) => state === "ready") &&
      workers.every(({ state }) => state !== "stuck");
    return { ready: isReady && !this.#isOver, workers, restarts: this.#restarts };
  }

  /** A worker has completed a step. */
  noteStep(link: Link): void {
    this.#slotOf(link).budget.reset();
  }

  /** Lets all workers free what they have and end. May be called again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    // A new worker frees what a dead one has left when it has loaded, so it is closed only then.
    for (const { link, orphans } of this.#slots) if (orphans.length === 0) void link.close();
    await Promise.all(this.#restarting);
    await Promise.all(this.links.map((link) => link.close()));
  }

  async #loadAll(): Promise<void> {
    const { workers, engine } = this.#options;
    const first = this.#createLink(0);
    const bare: Slot = { index: 0, options: engine, budget: new RestartBudget(), link: first, orphans: [] };
    this.#slots.push(bare);
    const own = typeof workers === "function" ? workers(await first.machine(engine.libraryPath)) : workers;
    this.#assertStarting();
    if (own?.length === 0) throw new RangeError("A model needs at least one worker");
    this.#slots.length = 0;
    for (const [index, options] of (own ?? [{}]).entries()) {
      const budget = new RestartBudget(this.#options);
      const link = index === 0 ? first : this.#createLink(index);
      this.#slots.push({ index, options: { ...engine, ...options }, budget, link, orphans: [] });
    }
    const sharers = this.#slots.length;
    if (sharers > 1) {
      for (const slot of this.#slots) slot.options = { ...slot.options, memorySharers: sharers };
    }
    const leaderOf = (slot: Slot) => this.#slots.find((each) => each === slot || this.#mayShare(each, slot))!;
    const leaders = this.#slots.filter((slot) => leaderOf(slot) === slot);
    const { progress = () => {} } = this.#options;
    const sum = new LoadProgressSum(leaders.length, progress);
    const loads = new Map<Slot, Promise<void>>();
    const load = async (slot: Slot): Promise<void> => {
      const leader = leaderOf(slot);
      // The first one alone at first: most things that can be wrong are wrong for all.
      if (slot.index > 0) await Promise.all([loads.get(this.#slots[0]), loads.get(leader)]);
      this.#assertStarting();
      if (slot.index > 0) this.#adopt(slot);
      if (leader === slot) await this.#load(slot, undefined, sum.of(slot.index));
      else await this.#load(slot, leader.link.weights);
    };
    // Leaders come before those who share with them.
    for (const slot of this.#slots) loads.set(slot, load(slot));
    await Promise.all(loads.values());
  }

  #assertStarting(): void {
    if (this.#isClosing) throw new EngineError("The model was closed while it was loading");
  }

  #createLink(index: number): Link {
    const { heartbeatMs = HEARTBEAT_MS, graceMs = GRACE_MS } = this.#options;
    const limits = { heartbeatMs, graceMs, timer: this.#timer };
    return new Link(this.#nextId++, this.#createTransport(index), this.#linkEvents, limits);
  }

  async #load(
    slot: Slot,
    shareFrom?: SharedWeights,
    progress?: (doneBytes: number, totalBytes: number) => void,
  ): Promise<void> {
    const { path } = this.#options;
    await slot.link.load({ path, options: slot.options, shareFrom, orphans: slot.orphans, progress });
    slot.orphans = [];
  }

  /**
   * A worker takes the sizes that the first one found for itself: any may get any request. One that replaces another takes them
   * whatever memory is left at the moment, for what it has is used only as tokens come.
   */
  #adopt(slot: Slot, { isReplacement = false } = {}): void {
    const { contextLength, kvTokens } = this.#sizes ??= this.#slots[0].link.info ?? {};
    const { kv } = slot.options;
    slot.options = {
      ...slot.options,
      ...contextLength === undefined ? {} : { contextLength, kvTokens },
      ...isReplacement && contextLength !== undefined ? { kv: { ...kv, overcommit: true } } : {},
    };
  }

  #pass(link: Link, message: ServingMessage): void {
    if (!this.#isStarting) this.#events.message(link, message);
  }

  #slotOf(link: Link): Slot {
    return this.#slots.find((slot) => slot.link === link)!;
  }

  #lose(link: Link, reason: string): void {
    if (this.#isOver) {
      if (link.state === "stuck") this.#options.onStuck?.(reason);
      return;
    }
    if (this.#isStarting) {
      this.#startFailed.reject(new EngineError(`The engine died: ${reason}`));
      return;
    }
    // First the new worker, so that the requests know that there is one to wait for.
    if (link.state === "dead") this.#replace(this.#slotOf(link), reason);
    this.#events.lost(link, reason);
    if (link.state === "stuck") this.#options.onStuck?.(reason);
  }

  #replace(slot: Slot, reason: string): void {
    if (this.#isOver) return;
    if (!slot.budget.take(this.#timer.now())) {
      this.#end(`its workers end again and again before they complete a step; the last: ${reason}`);
      return;
    }
    this.#restarts++;
    const restart = this.#restart(slot);
    this.#restarting.add(restart);
    void restart.then(() => {
      this.#restarting.delete(restart);
      if (slot.link.state === "ready" && !this.#isOver) this.#events.ready(slot.link);
    });
  }

  /** Puts a new worker into a slot. Never rejects. */
  async #restart(slot: Slot): Promise<void> {
    // What a dead worker had loaded is still in memory until its context is freed. It can be taken over once.
    let { weights } = slot.link;
    for (let loads = 1; loads === 1 || !this.#isOver; loads++) {
      for (const orphan of slot.link.orphans) if (!slot.orphans.includes(orphan)) slot.orphans.push(orphan);
      try {
        this.#adopt(slot, { isReplacement: true });
        slot.link = this.#createLink(slot.index);
        await this.#load(slot, weights ?? this.#survivorOf(slot)?.link.weights);
        return;
      } catch (error) {
        weights = undefined;
        await slot.link.close();
        const { message } = error instanceof Error ? error : new Error(String(error));
        if (loads === LOADS_MAX) return this.#end(`a new worker cannot load the model: ${message}`);
      }
    }
  }

  /** Memory of another node is slower: unless it is wanted, only workers of one node share. */
  #mayShare(a: Slot, b: Slot): boolean {
    const { shareWeights = true } = this.#options;
    return shareWeights === "all" || shareWeights && a.options.numaNode === b.options.numaNode;
  }

  #survivorOf(slot: Slot): Slot | undefined {
    return this.#slots.find((each) =>
      each !== slot && each.link.state === "ready" && this.#mayShare(each, slot)
    );
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const link of this.links) void link.close();
    this.#events.ended(new EngineError(`The engine died: ${reason}`));
  }
}
