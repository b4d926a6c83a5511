/** Compiles grammars in a thread of their own. @module */

import { GrammarError, type GrammarSource } from "./mod.ts";

/** What the thread says of one. */
export type FromCompiler =
  | { readonly words: Uint32Array<ArrayBuffer> }
  /** `known`: the grammar is at fault. */
  | { readonly message: string; readonly known: boolean };

/** A grammar that takes longer than this is refused, and the thread made anew. */
const LIMIT_MS = 5000;
const WAITING_MAX = 256;
/** Grammars that are kept, and the longest text of one that is. */
const KEPT = 128;
const KEY_LENGTH_MAX = 1 << 16;
/** Values of JSON in a source, and how deep they are nested: more would be refused there, and cost this thread time to send. */
const VALUES_MAX = 500_000;
const DEPTH_MAX = 2000;

interface Waiting {
  readonly source: GrammarSource;
  readonly resolve: (words: Uint32Array<ArrayBuffer>) => void;
  readonly reject: (error: Error) => void;
}

/** More grammars wait than can be compiled in time. */
export class CompilerBusyError extends Error {
  override readonly name = "CompilerBusyError";
}

/** One thread, begun when the first grammar comes; it compiles one after another and keeps what came last. */
export class GrammarCompiler implements Disposable {
  readonly #known = new Map<string, Uint32Array<ArrayBuffer>>();
  readonly #queue: Waiting[] = [];
  #worker: Worker | null = null;
  #current: Waiting | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Compiles a grammar. Rejects with a GrammarError that says what is wrong with it, or a CompilerBusyError. Equal sources in a
   * row are compiled once.
   */
  async compile(source: GrammarSource): Promise<Uint32Array<ArrayBuffer>> {
    checkSize(source);
    const key = keyOf(source);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key!);
      this.#known.set(key!, known);
      return known;
    }
    if (this.#queue.length >= WAITING_MAX) {
      throw new CompilerBusyError("Too many grammars wait to be compiled");
    }
    const { promise, resolve, reject } = Promise.withResolvers<Uint32Array<ArrayBuffer>>();
    this.#queue.push({ source, resolve, reject });
    this.#next();
    const words = await promise;
    if (key !== undefined) this.#known.set(key, words);
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!);
    return words;
  }

  #next(): void {
    if (this.#current !== null) return;
    const waiting = this.#queue.shift();
    if (waiting === undefined) return;
    this.#current = waiting;
    const worker = this.#worker ??= this.#start();
    this.#timer = setTimeout(
      () => this.#restart(new GrammarError(`The grammar took longer than ${LIMIT_MS / 1000} s to compile`)),
      LIMIT_MS,
    );
    worker.postMessage(waiting.source);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: "kumi grammars",
    });
    worker.onmessage = ({ data }: MessageEvent<FromCompiler>) => {
      const current = this.#settle();
      if ("words" in data) current?.resolve(data.words);
      else current?.reject(data.known ? new GrammarError(data.message) : new Error(data.message));
      this.#next();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#restart(new Error(`The compiler of grammars died: ${event.message}`));
    };
    return worker;
  }

  #settle(): Waiting | null {
    clearTimeout(this.#timer);
    const current = this.#current;
    this.#current = null;
    return current;
  }

  #restart(error: Error): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#settle()?.reject(error);
    this.#next();
  }

  /** Ends the thread; what waits is rejected. */
  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = null;
    const error = new Error("The compiler of grammars was closed");
    this.#settle()?.reject(error);
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }
}

/** Undefined for one that is too long to be kept. */
function keyOf(source: GrammarSource): string | undefined {
  const key = JSON.stringify(source);
  return key.length > KEY_LENGTH_MAX ? undefined : key;
}

/** Refuses what is too large or too deep, before anything walks through it that its depth could stop. */
function checkSize(source: GrammarSource): void {
  const queue: unknown[] = [source];
  const depths = [0];
  let values = 0;
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    const depth = depths.pop()! + 1;
    const inner = Array.isArray(value) ? value : Object.values(value as object);
    values += inner.length;
    if (values > VALUES_MAX) throw new GrammarError(`The schema has more than ${VALUES_MAX} values`);
    if (depth > DEPTH_MAX) throw new GrammarError(`The schema is nested more than ${DEPTH_MAX} deep`);
    for (const each of inner) {
      if (typeof each !== "object" || each === null) continue;
      queue.push(each);
      depths.push(depth);
    }
  }
}
