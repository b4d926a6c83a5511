/**
 * What a trial has found so far, on disk as soon as it is found, so that an interrupted one goes on where it was.
 * A trial is a function of its options and of what it measured: all that it measures goes through a journal, which
 * gives again what it has and measures what it has not. Times count in the same way: the budget is reckoned with
 * what the journal says was used, so that an interrupted trial decides as an undisturbed one.
 * @module
 */

import { appendText } from "./journal_file.ts";

/** Raised when journals of before mean something else. */
const JOURNAL_VERSION = 1;

/** The journal belongs to another trial, or is none. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** One thing that was found. */
interface Entry {
  readonly key: string;
  /** Ms of the budget used when it was found. */
  readonly usedMs: number;
  readonly value: unknown;
}

/** Where the lines are kept. */
export interface JournalStore {
  /** All that was appended; null where there is nothing yet. */
  read(): string | null;
  /** Appends a line so that it outlives the process. A torn last line is cut off first. */
  append(line: string, keepBytes?: number): void;
}

/** Ms that never go backwards. */
export type Clock = () => number;

export class Journal {
  readonly #entries = new Map<string, Entry>();
  readonly #store: JournalStore;
  readonly #clock: Clock;
  /** The clock when this process began, or when an entry was last given again: used time goes on from there. */
  #sinceMs: number;
  #usedMs = 0;
  #recordedMs = 0;
  /** Processes that have written to it before this one. */
  readonly resumed: number;
  readonly startedAt: string;

  /**
   * Opens a journal. `identity`: what makes a trial this one, as a text; another one's journal is refused with
   * a JournalError. `now`: the time for a new journal.
   */
  constructor(store: JournalStore, identity: string, { clock, now }: { clock: Clock; now: () => string }) {
    this.#store = store;
    this.#clock = clock;
    const text = store.read();
    const { lines, bytes } = wholeLines(text ?? "");
    if (lines.length === 0) {
      this.startedAt = now();
      this.resumed = 0;
      const head = { kumiTrialJournal: JOURNAL_VERSION, identity, startedAt: this.startedAt };
      store.append(JSON.stringify(head), 0);
    } else {
      const head = parse(lines[0], 1);
      if (head.kumiTrialJournal !== JOURNAL_VERSION) {
        throw new JournalError("it is no journal of this version of kumi trial");
      }
      if (head.identity !== identity) {
        throw new JournalError(
          `it belongs to a trial with other options: ${firstDifference(String(head.identity), identity)}`,
        );
      }
      this.startedAt = String(head.startedAt);
      let resumed = 1;
      lines.slice(1).forEach((line, i) => {
        const entry = parse(line, i + 2);
        if (entry.resumedAt !== undefined) resumed++;
        else this.#entries.set(String(entry.key), entry as unknown as Entry);
      });
      this.resumed = resumed;
      this.#recordedMs = Math.max(0, ...this.#entries.values().map(({ usedMs }) => usedMs));
      store.append(JSON.stringify({ resumedAt: now() }), bytes);
    }
    this.#sinceMs = clock();
  }

  /** Ms of the budget that what was found so far has used: the same in an interrupted trial. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /** Ms that are used at this moment, what was lost with an interruption left out. */
  get elapsedMs(): number {
    return Math.max(this.#usedMs, this.#recordedMs) + this.#clock() - this.#sinceMs;
  }

  /** Whether it has what is called so. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /**
   * What is called `key`: from the journal, or found now and written down. Values are plain data. What
   * `find` throws is thrown, and nothing is written.
   */
  async step<T>(key: string, find: () => Promise<T> | T): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#usedMs = known.usedMs;
      this.#sinceMs = this.#clock();
      return structuredClone(known.value) as T;
    }
    const value = await find();
    this.#usedMs = Math.round(this.elapsedMs);
    this.#recordedMs = this.#usedMs;
    this.#sinceMs = this.#clock();
    const entry: Entry = { key, usedMs: this.#usedMs, value };
    const line = JSON.stringify(entry);
    this.#store.append(line);
    this.#entries.set(key, JSON.parse(line));
    // As it will be read: what JSON cannot carry must not count now and be gone later.
    return structuredClone(this.#entries.get(key)!.value) as T;
  }
}

/** The lines that end, and how many bytes they take: a process may have been killed while it wrote one. */
function wholeLines(text: string): { lines: string[]; bytes: number } {
  const end = text.lastIndexOf("\n") + 1;
  const whole = text.slice(0, end);
  return { lines: whole.split("\n").slice(0, -1), bytes: new TextEncoder().encode(whole).length };
}

function parse(line: string, number: number): Record<string, unknown> {
  try {
    const value = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new JournalError(`line ${number} is no JSON object`);
}

/** Where two lists of "name=value" lines differ first. */
function firstDifference(old: string, now: string): string {
  const [was, is] = [old.split("\n"), now.split("\n")];
  const at = was.findIndex((line, i) => line !== is[i]);
  return at < 0 ? `${is[was.length] ?? "nothing"} is new` : `${was[at]} there, ${is[at] ?? "nothing"} here`;
}

/** A journal in a file. */
export function fileStore(path: string): JournalStore {
  return {
    read() {
      try {
        return Deno.readTextFileSync(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return null;
        throw error;
      }
    },
    append: (line, keepBytes) => appendText(path, `${line}\n`, keepBytes),
  };
}

/** A journal in memory, for trials that fakes make. */
export function memoryStore(start: string | null = null): JournalStore & { text: string | null } {
  return {
    text: start,
    read() {
      return this.text;
    },
    append(line, keepBytes) {
      const before = keepBytes === undefined ? this.text ?? "" : (this.text ?? "").slice(0, keepBytes);
      this.text = `${before}${line}\n`;
    },
  };
}
