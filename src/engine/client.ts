import { EngineError, fromWireError } from "./errors.ts";
import { Generation } from "./generation.ts";
import {
  ControlWord,
  type EngineOptions,
  type FromEngine,
  type GenerationRequest,
  type ModelInfo,
  type StepEvent,
  type ToEngine,
} from "./protocol.ts";
import type { Transport } from "./transport.ts";

/** What is asked of an engine when it starts. */
export interface StartOptions {
  path: string;
  engine: EngineOptions;
  progress?: (doneBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
  /** An engine that shows no sign of life for this long while work is pending counts as dead. Default 60 000. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 60_000;

/**
 * The caller's side of the messages. Nothing here computes or waits for the engine: the caller's thread stays free.
 */
export class EngineClient implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #control: Int32Array | null;
  readonly #heartbeatMs: number;
  readonly #generations = new Map<number, Generation>();
  readonly #replies = new Map<number, PromiseWithResolvers<number[] | string>>();
  readonly #loaded = Promise.withResolvers<ModelInfo>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #progress: StartOptions["progress"];
  #info: ModelInfo | null = null;
  #nextId = 1;
  #dead: EngineError | null = null;
  #closing = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #lastBeat = 0;
  #lastBeatAt = 0;

  private constructor(transport: Transport, options: StartOptions) {
    this.#transport = transport;
    this.#control = transport.control === undefined ? null : new Int32Array(transport.control);
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
    this.#progress = options.progress;
    transport.listen((message) => this.#receive(message), (reason) => this.#die(reason));
    this.#loaded.promise.catch(() => {});
  }

  /** Loads a model. When it fails or is aborted the engine is gone, with everything that it had allocated. */
  static async start(transport: Transport, options: StartOptions): Promise<EngineClient> {
    const { path, engine, signal } = options;
    const client = new EngineClient(transport, options);
    const onAbort = () => client.#loaded.reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      client.#post({ type: "load", path, options: engine, control: transport.control });
      client.#watchHeart();
      await client.#loaded.promise;
      return client;
    } catch (error) {
      await client.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  get info(): ModelInfo {
    if (this.#info === null) throw new EngineError("The model is not loaded");
    return this.#info;
  }

  /** Starts an answer. An aborted signal ends it with what it has so far. */
  generate(request: GenerationRequest, signal?: AbortSignal): Generation {
    this.#assertOpen();
    const id = this.#nextId++;
    const onAbort = () => this.#abort(id);
    const generation = new Generation(onAbort);
    this.#generations.set(id, generation);
    this.#post({ type: "generate", id, request });
    this.#watchHeart();
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const forget = () => signal?.removeEventListener("abort", onAbort);
    generation.result.then(forget, forget);
    return generation;
  }

  /** Token ids of a text. */
  tokenize(text: string, options: { addSpecial: boolean; parseSpecial: boolean }): Promise<number[]> {
    return this.#ask((id) => ({ type: "tokenize", id, text, ...options })) as Promise<number[]>;
  }

  /** The text of tokens. */
  detokenize(tokens: number[], special: boolean): Promise<string> {
    return this.#ask((id) => ({ type: "detokenize", id, tokens, special })) as Promise<string>;
  }

  #ask(message: (id: number) => ToEngine): Promise<number[] | string> {
    this.#assertOpen();
    const id = this.#nextId++;
    const reply = Promise.withResolvers<number[] | string>();
    this.#replies.set(id, reply);
    this.#post(message(id));
    this.#watchHeart();
    return reply.promise;
  }

  #assertOpen(): void {
    if (this.#dead !== null) throw new EngineError(this.#dead.message);
    if (this.#closing) throw new EngineError("The model is closed");
  }

  #abort(id: number): void {
    if (!this.#generations.has(id) || this.#dead !== null) return;
    this.#post({ type: "abort", id });
    this.#interrupt();
  }

  /** After the message, so that a step which starts in between does not miss it. */
  #interrupt(): void {
    if (this.#control !== null) Atomics.add(this.#control, ControlWord.interrupts, 1);
  }

  /** Ends all requests, frees the model and waits until the engine is gone. May be called again. */
  async close(): Promise<void> {
    if (!this.#closing && this.#dead === null) {
      this.#closing = true;
      this.#failPending(new EngineError("The model was closed before the request was done"));
      this.#post({ type: "close" });
      this.#interrupt();
      this.#watchHeart();
    }
    await this.#closed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #post(message: ToEngine): void {
    this.#transport.post(message);
  }

  #receive(message: FromEngine): void {
    this.#lastBeatAt = performance.now();
    switch (message.type) {
      case "progress":
        this.#reportProgress(message.doneBytes, message.totalBytes);
        break;
      case "loaded":
        this.#info = message.info;
        this.#loaded.resolve(message.info);
        break;
      case "failed":
        this.#loaded.reject(fromWireError(message.error));
        break;
      case "step":
        for (const event of message.events) this.#deliver(event);
        break;
      case "reply": {
        const reply = this.#replies.get(message.id);
        this.#replies.delete(message.id);
        if (message.error !== undefined) reply?.reject(fromWireError(message.error));
        else reply?.resolve(message.value!);
        break;
      }
      case "closed":
        this.#end();
        break;
    }
    this.#stopWatchIfIdle();
  }

  #reportProgress(doneBytes: number, totalBytes: number): void {
    // A load that has been aborted reports no more.
    if (this.#closing) return;
    try {
      this.#progress?.(doneBytes, totalBytes);
    } catch (error) {
      this.#loaded.reject(error);
    }
  }

  #deliver(event: StepEvent): void {
    const generation = this.#generations.get(event.id);
    if (event.completion !== undefined || event.error !== undefined) this.#generations.delete(event.id);
    if (event.error !== undefined) generation?.fail(fromWireError(event.error));
    else generation?.push(event);
  }

  #die(reason: string): void {
    if (this.#dead !== null) return;
    this.#dead = new EngineError(`The engine died: ${reason}`);
    this.#loaded.reject(this.#dead);
    this.#failPending(this.#dead);
    this.#end();
  }

  #failPending(error: EngineError): void {
    for (const generation of this.#generations.values()) generation.fail(error);
    for (const reply of this.#replies.values()) reply.reject(error);
    this.#generations.clear();
    this.#replies.clear();
  }

  #end(): void {
    this.#stopWatch();
    this.#transport.terminate();
    this.#closed.resolve();
  }

  get #busy(): boolean {
    const loading = this.#info === null;
    return loading || this.#closing || this.#generations.size + this.#replies.size > 0;
  }

  /** A worker that ends itself raises no event here, so signs of life are watched while something is expected. */
  #watchHeart(): void {
    if (this.#watch !== undefined || this.#dead !== null) return;
    this.#lastBeatAt = performance.now();
    this.#watch = setInterval(() => this.#checkHeart(), this.#heartbeatMs / 4);
  }

  #checkHeart(): void {
    const beat = this.#control === null ? 0 : Atomics.load(this.#control, ControlWord.heartbeat);
    const now = performance.now();
    if (beat !== this.#lastBeat) {
      this.#lastBeat = beat;
      this.#lastBeatAt = now;
    } else if (now - this.#lastBeatAt > this.#heartbeatMs) {
      this.#die(`it has shown no sign of life for ${Math.round((now - this.#lastBeatAt) / 1000)} s`);
      return;
    }
    this.#post({ type: "ping" });
  }

  #stopWatchIfIdle(): void {
    if (!this.#busy) this.#stopWatch();
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}
