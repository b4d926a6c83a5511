/** A thread that compiles grammars, one after another. @module */

import { GrammarError, type GrammarSource } from "./mod.ts";

/** What the thread hears: first how long it may compute at once, null for as long as it takes. */
export type ToCompiler = { readonly quickMs: number | null } | { readonly source: GrammarSource };

/** What the thread says of a grammar. */
export type FromCompiler =
  | { readonly words: Uint32Array<ArrayBuffer> }
  | { readonly isLong: true }
  /** `known`: the grammar is at fault. */
  | { readonly message: string; readonly known: boolean };

/** A grammar that somebody waits for. */
export interface Waiting {
  readonly source: GrammarSource;
  readonly resolve: (words: Uint32Array<ArrayBuffer>) => void;
  readonly reject: (error: Error) => void;
}

/** What is different between a lane and another. */
export interface LaneOptions {
  /** After so many ms a grammar is given up; null: never, and the thread has only the time that nobody else wants. */
  readonly quickMs: number | null;
  /** So many may wait. */
  readonly waitingMax: number;
  /** A thread that has not answered after so long is ended. */
  readonly limitMs: number;
  /** Takes a grammar that was given up, and one whose thread was ended. */
  readonly onLong: (waiting: Waiting) => void;
}

/** Begins its thread when the first grammar comes, and again after it was ended. */
export class Lane implements Disposable {
  readonly #options: LaneOptions;
  readonly #queue: Waiting[] = [];
  #worker: Worker | null = null;
  #current: Waiting | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#queue.length >= this.#options.waitingMax;
  }

  push(waiting: Waiting): void {
    this.#queue.push(waiting);
    this.#next();
  }

  #next(): void {
    if (this.#current !== null) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    this.#current = waiting;
    this.#worker ??= this.#start();
    this.#timer = setTimeout(
      () => this.#end((current) => this.#options.onLong(current)),
      this.#options.limitMs,
    );
    this.#worker.postMessage({ source: waiting.source } satisfies ToCompiler);
  }

  #start(): Worker {
    const url = new URL("./worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: "kumi grammars" });
    worker.postMessage({ quickMs: this.#options.quickMs } satisfies ToCompiler);
    worker.onmessage = ({ data }: MessageEvent<FromCompiler>) => {
      if (worker !== this.#worker) return;
      const current = this.#take();
      if (current !== null) this.#settle(current, data);
      this.#next();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(({ reject }) => reject(new Error(`The compiler of grammars died: ${event.message}`)));
    };
    return worker;
  }

  #settle(current: Waiting, data: FromCompiler): void {
    if ("words" in data) current.resolve(data.words);
    else if ("isLong" in data) this.#options.onLong(current);
    else current.reject(data.known ? new GrammarError(data.message) : new Error(data.message));
  }

  #take(): Waiting | null {
    clearTimeout(this.#timer);
    const current = this.#current;
    this.#current = null;
    return current;
  }

  #end(done: (current: Waiting) => void): void {
    this.#worker?.terminate();
    this.#worker = null;
    const current = this.#take();
    if (current !== null) done(current);
    this.#next();
  }

  /** Ends the thread; what waits is rejected. */
  [Symbol.dispose](): void {
    const error = new Error("The compiler of grammars was closed");
    for (const { reject } of this.#queue.splice(0)) reject(error);
    this.#end(({ reject }) => reject(error));
  }
}
