/** Models that share a server's memory: loaded when they are asked for, out of it when others need the room. @module */

import {
  DEFAULT_CLASSES,
  defaultClass,
  type LatencyClass,
  type ResidentAction,
  Residents,
} from "../../../scheduler/mod.ts";
import type { Model } from "../../client/model.ts";
import type { LoadOptions, LoadProgress } from "../../protocol/options/load.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import { ApiError } from "../api_error.ts";
import { ModelHost, type Readiness } from "../model_host.ts";
import type { Lease, ListedModel, Models, ModelState, Wish } from "../models.ts";
import type { Catalog } from "./catalog.ts";
import { loadOptionsOf, type SharedModel } from "./entry.ts";
import type { Measured } from "./measure.ts";
import {
  busyError,
  failedError,
  loadingError,
  noRoomError,
  publicReason,
  tooLargeError,
} from "./refusals.ts";
import { type ModelFigures, ResidencyFigures } from "./figures.ts";
import { Waiters } from "./waiters.ts";

/** What loading is done with. */
export interface Loader {
  /** The file of a model, downloaded first where it is not here, and what it takes. */
  measure(
    model: SharedModel,
    options: LoadOptions,
    limitBytes: number | undefined,
    signal: AbortSignal,
  ): Promise<Measured & { readonly path: string }>;
  load(path: string, options: LoadOptions): Promise<Model>;
}

export interface SharedModelsOptions {
  readonly catalog: Catalog;
  readonly loader: Loader;
  /** How models are loaded that have no options of their own. */
  readonly load: LoadOptions;
  /** Bytes that all models together may take; default: what this process may use. */
  readonly memoryBytes?: number;
  /** Ms after its last use at which a model leaves memory; default: never. */
  readonly keepAliveMs?: number;
  /** Ms that a request waits for its model where neither it nor its class says how long. Default 300,000. */
  readonly loadWaitMs?: number;
  readonly canaryMs: number;
  /** Pace at which memory changes hands among models in use, in ms; default: the policy's. */
  readonly turnMs?: number;
  /** Told what happens, in a sentence. */
  readonly note?: (text: string) => void;
}

/** What is known of a model. */
interface Slot {
  readonly name: string;
  readonly waiters: Waiters<Lease>;
  host: ModelHost | null;
  /** What it was when it was loaded the last time. */
  info: ModelInfo | null;
  measured: (Measured & { readonly path: string }) | null;
  progress?: LoadProgress;
  /** Why it could not be loaded, until it is tried again. */
  problem?: string;
  readonly figures: ModelFigures;
  loadingSince: number;
}

const LOAD_WAIT_MS = 300_000;

/** The policy of {@linkcode Residents}, and what it says done. */
export class SharedModels implements Models {
  readonly isShared = true;
  readonly figures = new ResidencyFigures();
  readonly #options: SharedModelsOptions;
  readonly #residents: Residents;
  readonly #slots = new Map<string, Slot>();
  readonly #abort = new AbortController();
  /** Loads and unloads under way. */
  readonly #works = new Set<Promise<void>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isTurning = false;
  #isDraining = false;

  constructor(options: SharedModelsOptions) {
    const { memoryBytes = Infinity, keepAliveMs, turnMs } = options;
    this.#options = options;
    this.#residents = new Residents({ budgetBytes: memoryBytes, keepAliveMs, turnMs });
  }

  get mayGrow(): boolean {
    return this.#options.catalog.mayGrow;
  }

  get first(): string {
    return this.#options.catalog.all[0].name;
  }

  /** Bytes that all models together may take, as far as that is known, and those that are taken. */
  get memory(): { readonly budgetBytes: number; readonly heldBytes: number } {
    const { budgetBytes, heldBytes } = this.#residents;
    return { budgetBytes, heldBytes };
  }

  /** Name of the model in memory that was used last; undefined: there is none. */
  get lastUsed(): string | undefined {
    return this.#residents.lastUsed;
  }

  /** The latency classes of models that have none of their own. */
  get classes(): readonly LatencyClass[] {
    return this.#options.load.classes ?? DEFAULT_CLASSES;
  }

  /** The latency classes of a model. */
  classesOf(name: string): readonly LatencyClass[] {
    return this.#optionsOf(this.#options.catalog.find(name)).classes;
  }

  served(name: string): { readonly host: ModelHost | null } | undefined {
    const own = this.#options.catalog.nameOf(name);
    return own === undefined ? undefined : { host: this.hostOf(own) };
  }

  /** A model that is in memory, by its own name; null: it is not. */
  hostOf(name: string): ModelHost | null {
    return this.#slots.get(name)?.host ?? null;
  }

  known(): readonly Pick<ListedModel, "name" | "info">[] {
    return this.#options.catalog.list().map(({ name }) => ({
      name,
      info: this.#slots.get(name)?.info ?? null,
    }));
  }

  list(): readonly ListedModel[] {
    return this.#options.catalog.list().map((model) => this.#listed(model));
  }

  find(name?: string): ListedModel {
    return this.#listed(this.#options.catalog.find(name));
  }

  lease(name: string | undefined, wish: Wish): Lease | Promise<Lease> {
    this.throwIfNone();
    const model = this.#options.catalog.find(name);
    const slot = this.#slotOf(model);
    const now = performance.now();
    const failedUntil = this.#residents.failedUntil(slot.name, now);
    if (failedUntil !== undefined) throw failedError(slot.name, slot.problem, failedUntil - now);
    const ticket = this.#residents.ask(slot.name, now);
    if (this.#residents.isOpen(slot.name)) return this.#take(slot, model, ticket, wish);
    return this.#wait(slot, model, ticket, wish);
  }

  dismiss(name?: string): boolean {
    const { name: own } = this.#options.catalog.find(name);
    if (this.#residents.stateOf(own) !== "absent") this.#residents.dismiss(own);
    this.#turn();
    return true;
  }

  throwIfNone(): void {
    if (this.#isDraining) {
      throw new ApiError(503, "The server is shutting down", { code: "draining", retryAfterMs: 5000 });
    }
  }

  readiness(): Readiness {
    return this.#isDraining ? { ready: false, state: "draining" } : { ready: true, state: "ready" };
  }

  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    clearTimeout(this.#timer);
    this.#abort.abort(new DOMException("The server was shut down", "AbortError"));
    const error = new ApiError(503, "The server is shutting down", { code: "draining", retryAfterMs: 5000 });
    for (const { waiters } of this.#slots.values()) waiters.failAll(error);
    for (const { host } of this.#slots.values()) host?.drain();
  }

  /** Frees all models; nothing may use them any more. */
  async close(): Promise<void> {
    this.drain();
    await Promise.all(this.#works);
    await Promise.all(
      this.#slots.values().map(async (slot) => {
        slot.host?.close();
        await slot.host?.loaded?.close();
        slot.host = null;
      }),
    );
  }

  #slotOf({ name }: SharedModel): Slot {
    return this.#slots.getOrInsertComputed(name, () => ({
      name,
      waiters: new Waiters(),
      host: null,
      info: null,
      measured: null,
      figures: this.figures.of(name),
      loadingSince: 0,
    }));
  }

  #optionsOf(model: SharedModel) {
    return loadOptionsOf(model, { ...this.#options.load, classes: this.classes });
  }

  #listed(model: SharedModel): ListedModel {
    const { name, aliases = [] } = model;
    const slot = this.#slots.get(name);
    const { classes } = this.#optionsOf(model);
    const { uses, waiting } = this.#residents.demandOf(name);
    const state = this.#stateOf(name);
    const isHeld = state === "loading" || state === "ready" || state === "unloading";
    const now = performance.now();
    const leavesAt = this.#residents.leavesAt(name);
    return {
      name,
      aliases,
      state,
      host: slot?.host ?? null,
      info: slot?.info ?? null,
      classes: classes.toSorted((a, b) => b.priority - a.priority).map((each) => each.name),
      defaultClass: defaultClass(classes),
      fileBytes: sizeOf(slot?.measured?.path ?? model.model),
      ...isHeld ? { heldBytes: this.#residents.bytesOf(name) } : {},
      ...leavesAt === undefined || leavesAt === Infinity || uses + waiting > 0
        ? {}
        : { leavesAt: Date.now() + leavesAt - now },
      uses,
      waiting,
      ...state === "loading" && slot?.progress !== undefined ? { progress: slot.progress } : {},
      ...slot?.problem === undefined ? {} : { problem: slot.problem },
    };
  }

  #stateOf(name: string): ModelState {
    if (this.#isDraining) return "draining";
    const state = this.#residents.stateOf(name);
    if (state === "measuring") return "loading";
    if (state !== "absent") return state;
    if (this.#residents.demandOf(name).waiting > 0) return "waiting";
    return this.#residents.failedUntil(name, performance.now()) === undefined ? "unloaded" : "failed";
  }

  /** A request begins to use its model. */
  #take(slot: Slot, model: SharedModel, ticket: number, wish: Wish, waitedMs?: number): Lease {
    const { name } = slot;
    const keepAliveMs = wish.keepAliveMs ?? model.keepAliveMs;
    this.#residents.take(name, ticket, performance.now(), keepAliveMs);
    const host = slot.host!;
    let isHeld = true;
    return {
      name,
      label: name,
      host,
      waitedMs,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#residents.release(name, performance.now());
        // An engine that does not answer right any more makes place for a new one.
        if (host.readiness().state === "unhealthy") this.#residents.dismiss(name);
        this.#turn();
      },
    };
  }

  /** Waits for the model for as long as the request, its class, or the server has it. */
  #wait(slot: Slot, model: SharedModel, ticket: number, wish: Wish): Promise<Lease> {
    const { name } = slot;
    const { classes } = this.#optionsOf(model);
    const leave = () => this.#residents.leave(name, ticket);
    const latencyClass = classes.find((each) => each.name === (wish.class ?? defaultClass(classes)));
    const { loadWaitMs = LOAD_WAIT_MS } = this.#options;
    const limitMs = wish.deadlineMs ?? latencyClass?.ttftSloMs ?? loadWaitMs;
    const askedAt = performance.now();
    const waitMs = limitMs - (askedAt - wish.startedAt);
    const key = latencyClass?.name ?? "";
    if (latencyClass !== undefined && slot.waiters.count(key) >= latencyClass.queueLimit.requests) {
      leave();
      throw busyError(name, slot.waiters.count(key));
    }
    const remainingMs = this.#remainingMs(slot);
    if (remainingMs !== undefined && remainingMs > waitMs) {
      leave();
      throw loadingError(name, remainingMs);
    }
    const opened = slot.waiters.wait({
      key,
      waitMs,
      take: () => this.#take(slot, model, ticket, wish, performance.now() - askedAt),
      leave: () => {
        leave();
        queueMicrotask(() => this.#turn());
      },
      late: () => this.#lateError(slot),
      onLeft: wish.onLeft,
    });
    this.#turn();
    return opened;
  }

  /** Until a model that is loading will be there; undefined where nobody knows. */
  #remainingMs({ name, figures, loadingSince }: Slot): number | undefined {
    if (this.#residents.stateOf(name) !== "loading" || figures.loadMs === undefined) return undefined;
    return Math.max(0, figures.loadMs - (performance.now() - loadingSince));
  }

  /** Why a request has waited in vain. */
  #lateError(slot: Slot): ApiError {
    const { name } = slot;
    const room = this.#residents.stateOf(name) === "absent" ? this.#residents.room(name) : undefined;
    if (room !== undefined && room.wouldGo.length > 0) return noRoomError(name, room);
    return loadingError(name, this.#remainingMs(slot));
  }

  /** Does what there is to do. */
  #turn(): void {
    if (this.#isTurning || this.#isDraining) return;
    this.#isTurning = true;
    try {
      let actions: ResidentAction[];
      do {
        actions = this.#residents.next(performance.now());
        for (const action of actions) this.#begin(action);
        for (const slot of this.#slots.values()) {
          if (this.#residents.isOpen(slot.name)) slot.waiters.openAll();
        }
      } while (actions.length > 0);
    } finally {
      this.#isTurning = false;
    }
    this.#setTimer();
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const wakeAt = this.#residents.wakeAt(now);
    if (wakeAt === undefined) return;
    this.#timer = setTimeout(() => this.#turn(), Math.min(wakeAt - now + 1, 2 ** 31 - 1));
    // A program that has nothing else to do may end.
    Deno.unrefTimer(this.#timer);
  }

  #begin(action: ResidentAction): void {
    const slot = this.#slots.get(action.name)!;
    switch (action.kind) {
      case "refuse": {
        const { need } = slot.measured!;
        slot.waiters.failAll(tooLargeError(slot.name, need, this.memory));
        return;
      }
      case "measure":
        return this.#work(this.#measure(slot));
      case "load":
        return this.#work(this.#load(slot));
      case "unload":
        return this.#work(this.#unload(slot, action.reason));
    }
  }

  #work(work: Promise<void>): void {
    this.#works.add(work);
    work.finally(() => {
      this.#works.delete(work);
      this.#turn();
    });
  }

  async #measure(slot: Slot): Promise<void> {
    const { catalog, loader, memoryBytes } = this.#options;
    try {
      const model = catalog.find(slot.name);
      const progress = (progress: LoadProgress) => slot.progress = progress;
      const options = { ...this.#optionsOf(model), progress };
      slot.measured = await loader.measure(model, options, memoryBytes, this.#abort.signal);
      await this.#setBudget(slot.measured.availableBytes);
      this.#residents.measured(slot.name, slot.measured.need.totalBytes);
    } catch (error) {
      this.#fail(slot, error);
    }
  }

  /** What the models take and what this process may use beside them, but no more than was set. */
  async #setBudget(availableBytes: number | undefined): Promise<void> {
    if (availableBytes === undefined) return;
    let promised = 0;
    for (const slot of this.#slots.values()) {
      const state = this.#residents.stateOf(slot.name);
      // What is on its way in or out is neither here nor there.
      if (state === "loading" || state === "unloading") return;
      if (state === "ready") promised += await promisedBytes(slot.host, slot.measured?.need.kvBytes ?? 0);
    }
    const { memoryBytes = Infinity } = this.#options;
    const free = Math.max(0, availableBytes - promised);
    this.#residents.budgetBytes = Math.min(memoryBytes, this.#residents.heldBytes + free);
  }

  async #load(slot: Slot): Promise<void> {
    const { catalog, loader, canaryMs, note } = this.#options;
    const { path, need } = slot.measured!;
    slot.loadingSince = performance.now();
    let model: Model | undefined;
    try {
      const progress = (progress: LoadProgress) => slot.progress = progress;
      model = await loader.load(path, {
        ...this.#optionsOf(catalog.find(slot.name)),
        contextLength: need.contextLength,
        kvTokens: need.kvTokens,
        label: slot.name,
        progress,
        signal: this.#abort.signal,
      });
      const host = new ModelHost(model, canaryMs);
      await host.settled;
      if (host.error !== null) throw host.error;
      slot.host = host;
      slot.info = model.info;
      slot.problem = undefined;
      const ms = performance.now() - slot.loadingSince;
      slot.figures.loaded(ms);
      this.#residents.loaded(slot.name, performance.now());
      note?.(`loaded ${JSON.stringify(slot.name)} in ${(ms / 1000).toFixed(1)} s`);
    } catch (error) {
      await model?.close().catch(() => {});
      this.#fail(slot, error);
    }
    slot.progress = undefined;
  }

  #fail(slot: Slot, error: unknown): void {
    const { name, figures, waiters } = slot;
    const now = performance.now();
    this.#residents.failed(name, now);
    if (this.#isDraining) return;
    figures.failures++;
    const { catalog, note } = this.#options;
    const model = catalog.all.find((each) => each.name === name)?.model ?? "";
    const { message } = error instanceof Error ? error : new Error(String(error));
    note?.(`cannot load ${JSON.stringify(name)}: ${message}`);
    slot.problem = publicReason(message, [slot.measured?.path ?? "", model]);
    const failedUntil = this.#residents.failedUntil(name, now) ?? now;
    waiters.failAll(failedError(name, slot.problem, failedUntil - now));
  }

  async #unload(slot: Slot, reason: "room" | "idle" | "asked"): Promise<void> {
    const { host } = slot;
    slot.host = null;
    host?.close();
    await host?.loaded?.close().catch(() => {});
    slot.figures.unloaded(reason);
    this.#residents.unloaded(slot.name);
    const why = {
      room: "another model needs the room",
      idle: "nobody asked for it",
      asked: "as it was told",
    };
    this.#options.note?.(`unloaded ${JSON.stringify(slot.name)}: ${why[reason]}`);
  }
}

/** How long an engine may take to say how much memory it has touched. */
const STATS_MS = 1000;

/** Memory that a model was given and has not touched: all of its KV cache where it does not say. */
async function promisedBytes(host: ModelHost | null, kvBytes: number): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), STATS_MS));
  // The engine may be gone.
  const stats = await Promise.race([host?.loaded?.stats().catch(() => undefined), silence]);
  clearTimeout(timer);
  if (stats === undefined) return kvBytes;
  return stats.workers.reduce(
    (sum, { kv }) => sum + kv.reservedBytes - (kv.committedBytes ?? kv.allocatedBytes),
    0,
  );
}

/** Of a file that is here. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}
