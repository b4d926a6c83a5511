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
import { BackOff, type BackOffLimits } from "./back_off.ts";
import type { RestartPolicy } from "./restart_policy.ts";
import type { Blame, Transport } from "./transport.ts";

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
  /** Set: workers are replaced for ever, more and more slowly; default: as {@linkcode RestartLimits} allow. */
  readonly backOff?: BackOffLimits;
}

/** A worker's place. */
export interface WorkerHealth {
  readonly state: LinkState;
  /** For how long it has shown no sign of life although something is expected of it. */
  readonly silentMs: number;
  /** Its process, where it has one of its own. */
  readonly pid?: number;
  /** Why there is none at the moment: how the last one ended. */
  readonly lost?: string;
  /** The next one is started in so many ms: those before it ended too soon. */
  readonly restartInMs?: number;
}

/** Whether requests can be served, and by whom. */
export interface Health {
  /** At least one worker is ready and none is stuck. */
  readonly ready: boolean;
  readonly workers: readonly WorkerHealth[];
  /** Workers that took the place of others. */
  readonly restarts: number;
}

/** Who hears of the workers once the first ones are ready. */
export interface PoolEvents {
  /** There is a new worker. */
  ready(link: Link): void;
  message(link: Link, message: ServingMessage): void;
  /** Nothing that a worker says counts any more. */
  lost(link: Link, reason: string, blame: Blame): void;
  /** There are no workers any more, and there will be none. */
  ended(error: EngineError): void;
}

/** The place of a worker: who works there changes. */
interface Slot {
  readonly index: number;
  options: EngineOptions;
  readonly policy: RestartPolicy;
  link: Link;
  /** How the last worker ended; undefined while there is one that is ready. */
  lost?: string;
  /** When the next one is started. */
  restartAtMs?: number;
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
  /** End the waits of places for their next worker. */
  readonly #waits = new Set<() => void>();
  /** Rejects when starting cannot succeed any more. */
  readonly #startFailed = Promise.withResolvers<never>();
  /** What the first worker was loaded with. */
  #sizes: Partial<Pick<ModelInfo, "contextLength" | "kvTokens">> | undefined;
  /** Of the model that was loaded at first. */
  #fingerprint: string | undefined;
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
      lost: (link, reason, blame) => this.#lose(link, reason, blame),
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
      pool.#fingerprint = pool.#slots[0].link.info?.fingerprint;
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

  /** Whether the next worker of a place is not even started yet. */
  isWaiting(slot: number): boolean {
    return this.#slots[slot].restartAtMs !== undefined;
  }

  get #isOver(): boolean {
    return this.#isClosing || this.#hasEnded;
  }

  get health(): Health {
    const now = this.#timer.now();
    const workers = this.#slots.map((
      { link: { state, silentMs, pid }, lost, restartAtMs },
    ): WorkerHealth => ({
      state,
      silentMs: Math.round(silentMs),
      ...pid === undefined || state === "dead" ? {} : { pid },
      ...lost === undefined ? {} : { lost },
      ...restartAtMs === undefined ? {} : { restartInMs: Math.max(0, Math.round(restartAtMs - now)) },
    }));
    const isReady = workers.some(({ state }) => state === "ready") &&
      workers.every(({ state }) => state !== "stuck");
    return { ready: isReady && !this.#isOver, workers, restarts: this.#restarts };
  }

  /** A worker has completed a step. */
  noteStep(link: Link): void {
    this.#slotOf(link).policy.noteStep();
  }

  /** Lets all workers free what they have and end. May be called again. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const end of this.#waits) end();
    // A new worker frees what a dead one has left when it has loaded, so it is closed only then.
    for (const { link, orphans } of this.#slots) if (orphans.length === 0) void link.close();
    await Promise.all(this.#restarting);
    await Promise.all(this.links.map((link) => link.close()));
  }

  async #loadAll(): Promise<void> {
    const { workers, engine } = this.#options;
    const first = this.#createLink(0);
    const bare: Slot = { index: 0, options: engine, policy: this.#policy(), link: first, orphans: [] };
    this.#slots.push(bare);
    const own = typeof workers === "function" ? workers(await first.machine(engine.libraryPath)) : workers;
    this.#assertStarting();
    if (own?.length === 0) throw new RangeError("A model needs at least one worker");
    this.#slots.length = 0;
    for (const [index, options] of (own ?? [{}]).entries()) {
      const link = index === 0 ? first : this.#createLink(index);
      const policy = this.#policy();
      this.#slots.push({ index, options: { ...engine, ...options }, policy, link, orphans: [] });
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

  #policy(): RestartPolicy {
    const { backOff } = this.#options;
    return backOff === undefined ? new RestartBudget(this.#options) : new BackOff(backOff);
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
    slot.policy.noteReady(this.#timer.now());
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

  #lose(link: Link, reason: string, blame: Blame): void {
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
    this.#events.lost(link, reason, blame);
    if (link.state === "stuck") this.#options.onStuck?.(reason);
  }

  #replace(slot: Slot, reason: string): void {
    if (this.#isOver) return;
    const delayMs = slot.policy.next(this.#timer.now());
    if (delayMs === null) {
      this.#end(`its workers end again and again before they complete a step; the last: ${reason}`);
      return;
    }
    this.#restarts++;
    slot.lost = reason;
    const restart = this.#restart(slot, delayMs);
    this.#restarting.add(restart);
    void restart.then(() => {
      this.#restarting.delete(restart);
      if (slot.link.state !== "ready" || this.#isOver) return;
      slot.lost = undefined;
      this.#events.ready(slot.link);
    });
  }

  /** Puts a new worker into a slot. Never rejects. */
  async #restart(slot: Slot, delayMs: number): Promise<void> {
    // What a dead worker had loaded is still in memory until its context is freed. It can be taken over once.
    let { weights } = slot.link;
    let wait: number | null = delayMs;
    for (let loads = 1; loads === 1 || !this.#isOver; loads++) {
      if (wait > 0) await this.#wait(slot, wait);
      // Where something was left behind, only a new worker can free it.
      if (this.#isOver && wait > 0) return;
      for (const orphan of slot.link.orphans) if (!slot.orphans.includes(orphan)) slot.orphans.push(orphan);
      try {
        this.#adopt(slot, { isReplacement: true });
        slot.link = this.#createLink(slot.index);
        await this.#load(slot, weights ?? this.#survivorOf(slot)?.link.weights);
        this.#assertSameModel(slot.link);
        return;
      } catch (error) {
        weights = undefined;
        await slot.link.close();
        const { message } = error instanceof Error ? error : new Error(String(error));
        wait = this.#waitAfterFailure(slot, loads);
        if (wait === null) return this.#end(`a new worker cannot load the model: ${message}`);
        slot.lost = `a new worker cannot load the model: ${message}`;
      }
    }
  }

  #waitAfterFailure(slot: Slot, loads: number): number | null {
    if (this.#options.backOff === undefined) return loads === LOADS_MAX ? null : 0;
    return slot.policy.next(this.#timer.now());
  }

  /** The file may be another one by now: what it would go on with are other answers. */
  #assertSameModel({ info }: Link): void {
    if (info?.fingerprint === this.#fingerprint) return;
    throw new EngineError("the model's file is not the one that was loaded at first");
  }

  /** Until the next worker is due, or none is wanted any more. */
  async #wait(slot: Slot, ms: number): Promise<void> {
    slot.restartAtMs = this.#timer.now() + ms;
    const due = Promise.withResolvers<void>();
    this.#waits.add(due.resolve);
    const stop = this.#timer.every(ms, due.resolve);
    if (this.#isOver) due.resolve();
    await due.promise;
    stop();
    this.#waits.delete(due.resolve);
    slot.restartAtMs = undefined;
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
