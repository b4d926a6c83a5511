import { KnownOutlook, type Refusal, type UnseenRequest } from "../../scheduler/mod.ts";
import type { Timer } from "../protocol/clock.ts";
import { EngineError, fromWireError } from "../protocol/errors.ts";
import { Heart } from "./heart.ts";
import {
  CONTROL_STEP_IDS,
  CONTROL_STEP_IDS_MAX,
  ControlWord,
  type FromEngine,
  type Machine,
  type ToEngine,
} from "../protocol/messages.ts";
import type { SharedWeights } from "../models/loading.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type { Blame, Transport } from "./transport.ts";

/** Stuck: in native code for longer than any step takes. No thread can be stopped there. */
export type LinkState = "loading" | "ready" | "stuck" | "dead";

/** Where a worker writes the native contexts that it has. */
const CONTEXT_WORDS = [ControlWord.context, ControlWord.draftContext] as const;

/** What a worker is to load. */
export interface LoadRequest {
  readonly path: string;
  readonly options: EngineOptions;
  readonly shareFrom?: SharedWeights;
  readonly orphans?: readonly number[];
  readonly progress?: (doneBytes: number, totalBytes: number) => void;
}

/** What comes from a worker while it serves. */
export type ServingMessage = Extract<FromEngine, { type: "step" | "reply" }>;

/** Who hears of a worker that has loaded its model. */
export interface LinkEvents {
  message(link: Link, message: ServingMessage): void;
  /** It has died, or it is stuck: nothing that it says counts any more. */
  lost(link: Link, reason: string, blame: Blame): void;
  /** Its thread has ended, a while after it was stuck: there may be another one in its place. */
  ended(link: Link): void;
}

/** How long a worker may be silent. */
export interface LinkLimits {
  readonly heartbeatMs: number;
  /** So much longer after it was asked to interrupt its step. */
  readonly graceMs: number;
  readonly timer: Timer;
}

/** One worker, as the caller's thread sees it: loading, messages, signs of life, and its end. */
export class Link {
  /** Unique among all workers that there ever were. */
  readonly id: number;
  /** The matrices of its model, as long as they exist: those of a worker that died without a word still do. */
  weights?: SharedWeights;
  info?: ModelInfo;

  /** What new requests have to expect there. */
  readonly #outlook = new KnownOutlook();
  readonly #transport: Transport;
  readonly #control: Int32Array | null;
  readonly #events: LinkEvents;
  readonly #limits: LinkLimits;
  readonly #heart: Heart;
  readonly #closed = Promise.withResolvers<void>();
  /** Requests and questions that have not been answered. */
  readonly #pending = new Set<number>();
  /** Those of them that nobody wants any more. */
  readonly #aborted = new Set<number>();
  #opening: PromiseWithResolvers<FromEngine> | null = null;
  #progress: LoadRequest["progress"];
  #state: LinkState = "loading";
  #isClosing = false;
  /** Whether its thread may still be somewhere in native code. */
  #mayRun = false;
  #interruptedAtMs = Infinity;

  constructor(id: number, transport: Transport, events: LinkEvents, limits: LinkLimits) {
    this.id = id;
    this.#transport = transport;
    this.#control = transport.control === undefined ? null : new Int32Array(transport.control);
    this.#events = events;
    this.#limits = limits;
    const lookMs = Math.min(limits.heartbeatMs, limits.graceMs) / 4;
    this.#heart = new Heart(this.#control, limits.timer, lookMs, () => this.#look());
    transport.listen((message) => this.#receive(message), (reason, blame) => this.#die(reason, blame));
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Its process, where it has one of its own. */
  get pid(): number | undefined {
    return this.#transport.pid;
  }

  /** For how long it has shown no sign of life although something is expected of it. */
  get silentMs(): number {
    return this.#heart.silentMs;
  }

  /** The requests in the step under way, empty between steps; undefined where there is no memory that tells. */
  get stepIds(): number[] | undefined {
    if (this.#control === null) return undefined;
    const count = Atomics.load(this.#control, ControlWord.stepRequests);
    const end = CONTROL_STEP_IDS + Math.max(0, Math.min(count, CONTROL_STEP_IDS_MAX));
    return [...this.#control.subarray(CONTROL_STEP_IDS, end)];
  }

  /** The native contexts that a dead worker has left behind, if they can be freed. */
  get orphans(): number[] {
    const control = this.#control;
    if (this.#state !== "dead" || this.#mayRun || control === null || !this.#transport.isLocal) return [];
    return CONTEXT_WORDS.map((word) => Atomics.load(control, word)).filter((id) => id !== 0);
  }

  /** Asks what the machine offers; before {@linkcode Link.load}. */
  async machine(libraryPath?: string): Promise<Machine> {
    const reply = await this.#open({ type: "machine", libraryPath });
    if (reply.type !== "machine") {
      throw new EngineError(`The engine replied to "machine" with "${reply.type}"`);
    }
    return reply.machine;
  }

  /** Loads the model. Rejects with the worker's error, or an EngineError when the worker dies or is closed. */
  async load({ path, options, shareFrom, orphans, progress }: LoadRequest): Promise<void> {
    this.#progress = progress;
    const { control, isLocal } = this.#transport;
    await this.#open({
      type: "load",
      path,
      options,
      ...(isLocal ? { control } : {}),
      ...(shareFrom === undefined ? {} : { shareFrom }),
      ...(orphans === undefined || orphans.length === 0 ? {} : { orphans: [...orphans] }),
    });
  }

  async #open(message: ToEngine): Promise<FromEngine> {
    if (this.#state === "dead" || this.#isClosing) throw new EngineError("The engine is gone");
    this.#opening = Promise.withResolvers();
    this.#heart.watch();
    this.#transport.post(message);
    return await this.#opening.promise;
  }

  /** Sends something that an answer is expected to. */
  ask(id: number, message: ToEngine): void {
    this.#transport.post(message);
    this.#pending.add(id);
    this.#heart.watch();
  }

  /** Notes a request that it was asked for: later ones come behind it. */
  noteSent(request: UnseenRequest): void {
    this.#outlook.send(request);
  }

  /** Why a request is refused by what the worker has said about new ones; null where it has to be asked. */
  refusalFor(request: UnseenRequest): Refusal | null {
    return this.#outlook.refusalFor(request, this.#limits.timer.now());
  }

  /** Ms until the first token of a request that would be sent now, as far as what the worker has said tells. */
  expectedTtftMs(request: UnseenRequest): number | undefined {
    return this.#outlook.expectedTtftMs(request, this.#limits.timer.now());
  }

  /** Lets the worker count a request of this class that was refused for it. */
  noteRefused(name: string): void {
    this.#transport.post({ type: "refused", class: name });
  }

  /** Sends an abort. A step under way ends early when it computes for nobody else: others' work is not thrown away. */
  abort(id: number): void {
    if (this.#state !== "ready") return;
    this.#transport.post({ type: "abort", id });
    this.#aborted.add(id);
    if (this.stepIds?.every((each) => this.#aborted.has(each)) ?? true) this.#interrupt();
  }

  /** Notes that nothing more is expected for this id. */
  settle(id: number): void {
    this.#pending.delete(id);
    this.#aborted.delete(id);
    this.#restIfIdle();
  }

  /** Lets the worker free what it has and end. May be called again. */
  async close(): Promise<void> {
    if (this.#state === "stuck") this.#end();
    if (!this.#isClosing && this.#state !== "dead") this.#askToClose();
    await this.#closed.promise;
  }

  #askToClose(): void {
    this.#isClosing = true;
    this.#opening?.reject(new EngineError("The model was closed while it was loading"));
    this.#transport.post({ type: "close" });
    this.#interrupt();
    this.#heart.watch();
  }

  /** After the message, so that a step which starts in between does not miss it. */
  #interrupt(): void {
    this.#transport.interrupt();
  }

  #receive(message: FromEngine): void {
    if (this.#state === "dead") return;
    this.#heart.live();
    switch (message.type) {
      case "progress":
        // A load that was given up reports no more.
        if (!this.#isClosing) this.#reportProgress(message.doneBytes, message.totalBytes);
        break;
      case "machine":
        this.#opening?.resolve(message);
        break;
      case "loaded":
        if (this.#isClosing) break;
        this.#state = "ready";
        this.info = message.info;
        if (this.#transport.isLocal) this.weights = message.weights;
        this.#opening?.resolve(message);
        break;
      case "failed":
        this.#opening?.reject(fromWireError(message.error));
        break;
      case "step":
      case "reply":
        if (message.type === "step" && message.outlook !== undefined) {
          this.#outlook.learn(message.outlook, this.#limits.timer.now());
        }
        if (this.#state === "ready") this.#events.message(this, message);
        break;
      case "closed":
        this.weights = undefined;
        if (this.#control !== null) {
          for (const word of CONTEXT_WORDS) Atomics.store(this.#control, word, 0);
        }
        this.#end();
        break;
    }
    this.#restIfIdle();
  }

  #reportProgress(doneBytes: number, totalBytes: number): void {
    try {
      this.#progress?.(doneBytes, totalBytes);
    } catch (error) {
      this.#opening?.reject(error);
    }
  }

  #look(): void {
    const { heartbeatMs, graceMs } = this.#limits;
    const { silentMs } = this.#heart;
    if (this.#state === "stuck") {
      // It has come back, but its requests are gone: it is to free what it has.
      if (silentMs === 0 && !this.#isClosing) return this.#askToClose();
    } else if (silentMs <= heartbeatMs) {
      this.#interruptedAtMs = Infinity;
    } else if (!this.stepIds?.length) {
      // While it loads it may be in native code, and what it has there cannot be freed under it.
      this.#mayRun = this.#state === "loading";
      return this.#die(`it has shown no sign of life for ${Math.round(silentMs / 1000)} s`, "step");
    } else if (this.#interruptedAtMs === Infinity) {
      this.#interruptedAtMs = silentMs;
      this.#interrupt();
    } else if (silentMs - this.#interruptedAtMs >= graceMs) {
      const reason = `it has been in one step for ${Math.round(silentMs / 1000)} s and cannot be stopped`;
      return this.#transport.isLocal ? this.#getStuck(reason) : this.#die(reason, "step");
    }
    this.#transport.post({ type: "ping" });
  }

  #getStuck(reason: string): void {
    this.#state = "stuck";
    this.#events.lost(this, reason, "step");
    if (this.#isClosing) this.#end();
  }

  #die(reason: string, blame: Blame): void {
    if (this.#state === "dead") return;
    const wasServing = this.#state === "ready";
    this.#opening?.reject(new EngineError(`The engine died: ${reason}`));
    this.#end();
    if (wasServing && !this.#isClosing) this.#events.lost(this, reason, blame);
  }

  #end(): void {
    const wasStuck = this.#state === "stuck";
    this.#state = "dead";
    this.#heart.rest();
    this.#closed.resolve(this.#transport.terminate());
    this.#opening?.reject(new EngineError("The engine is gone"));
    if (wasStuck) this.#events.ended(this);
  }

  #restIfIdle(): void {
    if (this.#state === "ready" && !this.#isClosing && this.#pending.size === 0) this.#heart.rest();
  }
}
