/** A small file of JSON that a server keeps while it runs, and goes on with when it starts again. @module */

import { fileReason } from "../process/file_reason.ts";
import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";

/** Between two looks whether there is something to write. */
const WRITE_MS = 10_000;
/** What is larger was not written by a server. */
const BYTES_MAX = 16 << 20;

/** The files that it takes: a new one takes the place of the old, and one is locked while a server has them. */
export function keptFiles(path: string): [path: string, fresh: string, lock: string] {
  return [path, `${path}.new`, `${path}.lock`];
}

export interface KeptFileOptions<T> {
  readonly path: string;
  /** What it has, for messages: "what upstreams have cost". */
  readonly what: string;
  /** Throws, or gives null, for a text that no server has written. */
  readonly parse: (value: unknown) => T | null;
  /** Goes on with what it has. */
  readonly restore: (kept: T) => void;
  /** All that is to be kept, as JSON. */
  readonly text: () => string;
}

/** Reads it once, and writes what has changed every ten seconds, and at the end. */
export class KeptFile<T = unknown> {
  readonly #options: Omit<KeptFileOptions<unknown>, "parse" | "restore">;
  readonly #lock: Deno.FsFile;
  readonly #timer: ReturnType<typeof setInterval>;
  #written = "";
  #hasFailed = false;

  /**
   * Throws an Error where it cannot be kept, where another server keeps it, and for a file that no server has written: nobody
   * knows then what it had.
   */
  constructor({ parse, restore, ...options }: KeptFileOptions<T>) {
    const { path, what } = options;
    this.#options = options;
    this.#lock = lockOf(path, what);
    try {
      const kept = readKept(path, what, parse);
      if (kept !== null) restore(kept);
      // A place that takes nothing is found out now, and not when there is something to lose.
      this.#put();
    } catch (error) {
      this.#lock.close();
      throw error;
    }
    this.#timer = setInterval(() => this.write(), WRITE_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** A disk that is full is told of once, and requests go on. */
  write(): void {
    try {
      this.#put();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) printNote(`kumi: ${oneLine((error as Error).message)}`);
      this.#hasFailed = true;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
    this.#lock.close();
  }

  #put(): void {
    const { path, what, text: textOf } = this.#options;
    const text = textOf();
    if (text === this.#written) return;
    const [old, fresh] = keptFiles(path);
    try {
      Deno.writeTextFileSync(fresh, text);
      Deno.renameSync(fresh, old);
    } catch (error) {
      throw cannotKeep(path, what, error);
    }
    this.#written = text;
  }
}

/** Taken while a server keeps the file: the file itself is another one after each writing. */
function lockOf(path: string, what: string): Deno.FsFile {
  const [, , lock] = keptFiles(path);
  let file: Deno.FsFile;
  try {
    if (isFolder(path)) throw new Deno.errors.IsADirectory();
    file = Deno.openSync(lock, { create: true, write: true });
  } catch (error) {
    throw cannotKeep(path, what, error);
  }
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new Error(`${path} is in use by another server: each needs a file of its own for ${what}`);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** What a file has; null: there is none. */
function readKept<T>(path: string, what: string, parse: (value: unknown) => T | null): T | null {
  let text: string;
  try {
    text = Deno.statSync(path).size > BYTES_MAX ? "" : Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw cannotKeep(path, what, error);
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

function cannotKeep(path: string, what: string, error: unknown): Error {
  return new Error(`cannot keep ${what} in ${path}: ${fileReason(error)}`, { cause: error });
}
