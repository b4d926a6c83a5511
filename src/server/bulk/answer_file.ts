/** Files of answers: what is in them is done, whenever the program that wrote them ended. @module */

import { type AnswerLine, isAnswered, LINE_BEGINNING, parseAnswerLine } from "./answer_line.ts";
import { joined, linesOf } from "./lines.ts";

/** A file that cannot be one of answers, or is in use. */
export class AnswerFileError extends Error {
  override readonly name = "AnswerFileError";
}

/** What a file had when it was opened, and has now. */
export interface AnswerCounts {
  answered: number;
  failed: number;
}

/** No answer is longer, with all log-probabilities that can be asked for. */
const LINE_BYTES_MAX = 256 << 20;
const encoder = new TextEncoder();

/**
 * Lines are added as they come, each of them whole: one that a dying program cut off is taken away when the file is
 * opened again, and one that found no room on the disk at once. One process at a time has a file open.
 */
export class AnswerFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** Of the lines that are whole. */
  #bytes: number;
  #waiting: Uint8Array[] = [];
  #writing: Promise<void> | null = null;
  #error: Error | null = null;
  #isClosed = false;
  /** Names of requests that have a line. */
  readonly customIds: Set<string>;
  /** Lines of the requests' file that have an error line of their own. */
  readonly problemLines: Set<number>;
  /** Names of the models that have answered. */
  readonly models: Set<string>;
  readonly counts: AnswerCounts;

  private constructor(path: string, file: Deno.FsFile, known: Known) {
    this.#path = path;
    this.#file = file;
    this.#bytes = known.bytes;
    this.customIds = known.customIds;
    this.problemLines = known.problemLines;
    this.models = known.models;
    this.counts = known.counts;
  }

  /**
   * Opens a file, or makes it. Throws an AnswerFileError where it holds anything else than answers or another process
   * writes it, and Deno's errors.
   */
  static async open(path: string): Promise<AnswerFile> {
    const file = await Deno.open(path, { create: true, read: true, write: true });
    try {
      if (!(await file.stat()).isFile) throw new AnswerFileError(`${path} is no file that can be added to`);
      if (!await file.tryLock(true)) throw new AnswerFileError(`${path} is being written by another process`);
      const known = await readKnown(path);
      await file.truncate(known.bytes);
      await file.seek(known.bytes, Deno.SeekMode.Start);
      return new AnswerFile(path, file, known);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Bytes of its lines. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the line has been handed to the system. Rejects where there is no room for it. */
  async add(line: AnswerLine): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#isClosed) throw new AnswerFileError(`${this.#path} is closed`);
    this.#waiting.push(encoder.encode(JSON.stringify(line) + "\n"));
    await (this.#writing ??= this.#write());
    note(this, line);
  }

  /** What was handed to the system is on the disk, and nothing more can be added. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#writing?.catch(() => {});
    try {
      await this.#file.syncData();
    } finally {
      this.#file.close();
    }
  }

  /** Those that come while others are written go together. */
  async #write(): Promise<void> {
    // What is added in this turn goes along.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const parts = this.#waiting;
        this.#waiting = [];
        const bytes = joined(parts, parts.reduce((sum, { length }) => sum + length, 0));
        for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
        this.#bytes += bytes.length;
      }
    } catch (error) {
      this.#error = new AnswerFileError(`cannot write ${this.#path}: ${(error as Error).message}`, {
        cause: error,
      });
      // Half a line is no line.
      await this.#file.truncate(this.#bytes).catch(() => {});
      throw this.#error;
    } finally {
      this.#writing = null;
    }
  }
}

interface Known {
  bytes: number;
  readonly customIds: Set<string>;
  readonly problemLines: Set<number>;
  readonly models: Set<string>;
  readonly counts: AnswerCounts;
}

async function readKnown(path: string): Promise<Known> {
  const known: Known = {
    bytes: 0,
    customIds: new Set(),
    problemLines: new Set(),
    models: new Set(),
    counts: { answered: 0, failed: 0 },
  };
  for await (const { line, offset, length, bytes, isEnded } of linesOf(path, LINE_BYTES_MAX)) {
    const text = bytes === null ? "" : new TextDecoder().decode(bytes);
    const answer = isEnded ? parseAnswerLine(text) : null;
    // A program, or the machine, died while it wrote this one.
    if (!isEnded && bytes !== null && isBeginning(text)) break;
    if (answer === null) {
      throw new AnswerFileError(`line ${line} of ${path} is no answer to a request: name another file`);
    }
    note(known, answer);
    known.bytes = offset + length + 1;
  }
  return known;
}

function note({ customIds, problemLines, models, counts }: Omit<Known, "bytes">, answer: AnswerLine): void {
  const { custom_id: id, error, response } = answer;
  if (error?.line !== undefined) problemLines.add(error.line);
  else if (id !== null) customIds.add(id);
  if (!isAnswered(answer)) return void counts.failed++;
  counts.answered++;
  const model = (response?.body as { model?: unknown } | undefined)?.model;
  if (typeof model === "string") models.add(model);
}

/** Whether a text is a part of an answer's line, or what a file system has in place of what was not written. */
function isBeginning(text: string): boolean {
  return text.startsWith(LINE_BEGINNING) || LINE_BEGINNING.startsWith(text) || /^\0*$/.test(text);
}
