/**
 * Lines typed by a person, with history and editing, or read from a pipe.
 * @module
 */

import { createInterface, type Interface } from "node:readline";
import process from "node:process";

/** What came from the keyboard: a line, Ctrl-C at the prompt, or the end of input. */
export type LineEvent = { kind: "line"; text: string } | { kind: "interrupt" } | { kind: "end" };

/** Reads lines one at a time; `onInterrupt` receives Ctrl-C pressed while no line is being read. */
export class LineReader {
  readonly #readline: Interface;
  readonly #queue: LineEvent[] = [];
  #waiting: ((event: LineEvent) => void) | undefined;
  #ended = false;
  onInterrupt: (() => void) | undefined;

  constructor(readonly interactive: boolean) {
    this.#readline = createInterface({
      input: process.stdin,
      output: interactive ? process.stdout : undefined,
      terminal: interactive,
      historySize: 200,
    });
    this.#readline.on("line", (text: string) => this.#push({ kind: "line", text }));
    // A terminal in raw mode turns Ctrl-C into this event; otherwise the signal itself arrives.
    this.#readline.on("SIGINT", () => this.interrupt());
    this.#readline.on("close", () => {
      this.#ended = true;
      this.#push({ kind: "end" });
    });
  }

  /** Ctrl-C, from the terminal or as a signal. */
  interrupt(): void {
    if (this.#waiting !== undefined) this.#push({ kind: "interrupt" });
    else this.onInterrupt?.();
  }

  /** The next event; `prompt` is shown to a person only. */
  next(prompt: string): Promise<LineEvent> {
    const queued = this.#queue.shift();
    if (queued !== undefined) return Promise.resolve(queued);
    if (this.#ended) return Promise.resolve({ kind: "end" });
    if (this.interactive) {
      this.#readline.setPrompt(prompt);
      this.#readline.prompt();
    }
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** The person's unfinished line is dropped, as shells do on Ctrl-C. */
  discardLine(): void {
    if (!this.interactive) return;
    this.#readline.write(null, { ctrl: true, name: "e" });
    this.#readline.write(null, { ctrl: true, name: "u" });
  }

  [Symbol.dispose](): void {
    this.#readline.close();
  }

  #push(event: LineEvent): void {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      this.#queue.push(event);
    } else {
      this.#waiting = undefined;
      waiting(event);
    }
  }
}
