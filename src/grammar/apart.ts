/** Compiles grammars in threads of their own. @module */

import { Lane } from "./lane.ts";
import { GrammarError, type GrammarSource } from "./mod.ts";

/** 99 of 100 grammars take less, alone; beside an engine that wants every processor, most of them. */
const QUICK_MS = 50;
/** A quick thread that does not look at the clock itself is ended after so many ms. */
const QUICK_LIMIT_MS = 2000;
const QUICK_WAITING_MAX = 256;
/** Long work that is not done after so many ms is refused. */
const LONG_LIMIT_MS = 20_000;
const LONG_WAITING_MAX = 16;
/** Grammars that are kept, and the longest text of one that is. */
const KEPT = 128;
const KEY_LENGTH_MAX = 1 << 16;
/** Values of JSON in a source, and how deep they are nested: more would be refused there, and cost this thread time to send. */
const VALUES_MAX = 500_000;
const DEPTH_MAX = 2000;

/** More grammars wait than can be compiled in time. */
export class CompilerBusyError extends Error {
  override readonly name = "CompilerBusyError";
}

/**
 * Keeps what came last. One thread compiles one grammar after another, and gives up those that take long: they wait for another
 * thread, of which no step of an engine and no other grammar notices anything. Threads begin when they are needed.
 */
export class GrammarCompiler implements Disposable {
  readonly #known = new Map<string, Uint32Array<ArrayBuffer>>();
  readonly #long = new Lane({
    quickMs: null,
    waitingMax: LONG_WAITING_MAX,
    limitMs: LONG_LIMIT_MS,
    onLong: ({ reject }) =>
      reject(new GrammarError(`The grammar took longer than ${LONG_LIMIT_MS / 1000} s to compile`)),
  });
  readonly #quick = new Lane({
    quickMs: QUICK_MS,
    waitingMax: QUICK_WAITING_MAX,
    limitMs: QUICK_LIMIT_MS,
    onLong: (waiting) => this.#long.isFull ? waiting.reject(busy()) : this.#long.push(waiting),
  });

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
    if (this.#quick.isFull) throw busy();
    const { promise, resolve, reject } = Promise.withResolvers<Uint32Array<ArrayBuffer>>();
    this.#quick.push({ source, resolve, reject });
    const words = await promise;
    if (key !== undefined) this.#known.set(key, words);
    if (this.#known.size > KEPT) this.#known.delete(this.#known.keys().next().value!);
    return words;
  }

  /** Ends the threads; what waits is rejected. */
  [Symbol.dispose](): void {
    this.#quick[Symbol.dispose]();
    this.#long[Symbol.dispose]();
  }
}

function busy(): CompilerBusyError {
  return new CompilerBusyError("Too many grammars wait to be compiled");
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
