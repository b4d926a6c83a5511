import { oneLine } from "../../process/harmless.ts";

/** Longer lines are cut off: a log is no place for more. */
const LINE_MAX = 2000;

/** What follows a fault where RUST_BACKTRACE is set: it would hide the sentence that says what is wrong. */
const BACKTRACE = /^(?:Stack backtrace:|stack backtrace:|\s*\d+: \S.*)$/;

/** Passes on what a process writes to stderr, line by line, and remembers the last ones. */
export class LogLines {
  readonly #onLine: (line: string) => void;
  readonly #lastMax: number;
  readonly #last: string[] = [];

  constructor(onLine: (line: string) => void, lastMax = 3) {
    this.#onLine = onLine;
    this.#lastMax = lastMax;
  }

  /** The last lines, on one; "" where there were none. */
  get lastWords(): string {
    return this.#last.join(" | ");
  }

  /** Reads to the end. Never rejects. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    try {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!.slice(0, LINE_MAX + 1);
        for (const line of lines) this.#take(line);
      }
    } catch {
      // The process is gone.
    }
    this.#take(rest);
  }

  #take(text: string): void {
    const line = oneLine(text.trimEnd(), LINE_MAX);
    if (line === "") return;
    if (!BACKTRACE.test(line)) this.#last.push(line);
    if (this.#last.length > this.#lastMax) this.#last.shift();
    this.#onLine(line);
  }
}
