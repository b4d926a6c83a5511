/** Lines that go to a file beside a program that has better to do. @module */

/** How lines are kept. */
export interface LineFileOptions {
  /** A file of this size is renamed and begun anew. */
  readonly bytesMax: number;
  /** What a full file is renamed to. Default: `PATH.1`, in place of an earlier one. */
  readonly nameOfFull?: () => string;
  /** Told what went wrong; nothing is written after it. */
  readonly onProblem: (problem: string) => void;
  /** Bytes of lines that may wait; those beyond find no room. Default 4 MiB. */
  readonly waitingBytesMax?: number;
  /** How long lines wait for others, in ms. Default 200. */
  readonly flushMs?: number;
}

const WAITING_BYTES_MAX = 4 * 2 ** 20;
const FLUSH_MS = 200;
const NEWLINE = 10;
const encoder = new TextEncoder();

/**
 * Appends lines to a file, in their order, without anybody waiting for the disk. What was given more than
 * `flushMs` ago has been handed to the system: a program that dies loses at most what came after, and the
 * last line may be cut off.
 */
export class LineFile implements AsyncDisposable {
  readonly #path: string;
  readonly #options: LineFileOptions;
  #file: Deno.FsFile;
  #bytes: number;
  /** The first line of the file and of each that is begun anew. */
  #head = "";
  #waiting: string[] = [];
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | null = null;
  #hasFailed = false;

  /** Opens the file, or makes it. Throws Deno's errors where it cannot, and an Error where another process writes it. */
  constructor(path: string, options: LineFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#file = open(path);
    this.#bytes = this.#file.statSync().size;
    // What another program was writing when it died.
    if (this.#bytes > 0 && lastByte(path) !== NEWLINE) this.#add("");
  }

  /** Writes a line now and at the beginning of each file that is begun anew. */
  begin(head: string): void {
    this.#head = head;
    this.push(head);
  }

  /** Takes a line without its end. False where there is no room for it. */
  push(line: string): boolean {
    if (this.#hasFailed) return false;
    const { waitingBytesMax = WAITING_BYTES_MAX } = this.#options;
    if (this.#waitingBytes + line.length > waitingBytesMax) return false;
    this.#add(line);
    return true;
  }

  /** Resolves when all that was given has been handed to the system. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#writing !== null || this.#waiting.length > 0) {
      await (this.#writing ??= this.#write());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    this.#hasFailed = true;
    this.#file.close();
  }

  #add(line: string): void {
    this.#waiting.push(`${line}\n`);
    this.#waitingBytes += line.length + 1;
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, this.#options.flushMs ?? FLUSH_MS);
    // Whoever ends the program flushes first.
    Deno.unrefTimer(this.#timer);
  }

  async #write(): Promise<void> {
    const bytes = encoder.encode(this.#waiting.join(""));
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      for (let done = 0; done < bytes.length;) done += await this.#file.write(bytes.subarray(done));
      this.#bytes += bytes.length;
      if (this.#bytes >= this.#options.bytesMax) this.#rotate();
    } catch (error) {
      this.#hasFailed = true;
      this.#waiting = [];
      this.#options.onProblem(`${this.#path} cannot be written any more: ${(error as Error).message}`);
    } finally {
      this.#writing = null;
    }
  }

  #rotate(): void {
    Deno.renameSync(this.#path, this.#options.nameOfFull?.() ?? `${this.#path}.1`);
    const file = open(this.#path);
    this.#file.close();
    this.#file = file;
    this.#bytes = 0;
    // Before what has come meanwhile.
    if (this.#head !== "") this.#waiting.unshift(`${this.#head}\n`);
  }
}

/** On Windows a lock would keep readers out as well. */
function open(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { create: true, append: true });
  if (Deno.build.os === "windows" || file.tryLockSync(true)) return file;
  file.close();
  throw new Error(`${path} is being written by another process`);
}

function lastByte(path: string): number {
  using file = Deno.openSync(path);
  file.seekSync(-1, Deno.SeekMode.End);
  const byte = new Uint8Array(1);
  file.readSync(byte);
  return byte[0];
}
