/** A small file of JSON that a server keeps while it runs, and goes on with when it starts again. @module */

import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";

/** Between two looks whether there is something to write. */
const WRITE_MS = 10_000;
/** What is larger was not written by a server. */
const BYTES_MAX = 16 << 20;

/** The files that it takes: a new one takes the place of the old. */
export function keptFiles(path: string): string[] {
  return [path, `${path}.new`];
}

export interface KeptFileOptions {
  readonly path: string;
  /** What it has, for messages: "what upstreams have cost". */
  readonly what: string;
  /** All that is to be kept, as JSON. */
  readonly text: () => string;
}

/** Writes what has changed every ten seconds, and at the end. */
export class KeptFile {
  readonly #options: KeptFileOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #written = "";
  #hasFailed = false;

  constructor(options: KeptFileOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.write(), WRITE_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** A disk that is full is told of once, and requests go on. */
  write(): void {
    const { path, what, text: textOf } = this.#options;
    const text = textOf();
    if (text === this.#written) return;
    const [old, fresh] = keptFiles(path);
    try {
      Deno.writeTextFileSync(fresh, text);
      Deno.renameSync(fresh, old);
      this.#written = text;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        printNote(`kumi: cannot keep ${what} in ${path}: ${oneLine((error as Error).message)}`);
      }
      this.#hasFailed = true;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
  }
}

/**
 * What a file has; null: there is none. `parse`: throws, or gives null, for a text that no server has written. Throws an Error for
 * such a file: nobody knows then what it had.
 */
export function readKept<T>(path: string, what: string, parse: (value: unknown) => T | null): T | null {
  let text: string;
  try {
    text = Deno.statSync(path).size > BYTES_MAX ? "" : Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  let value: T | null = null;
  try {
    value = parse(JSON.parse(text));
  } catch {
    // As if it had something else.
  }
  if (value === null) throw new Error(`${path} does not have ${what}: remove it to begin at 0`);
  return value;
}
