import { formatDuration } from "../units.ts";
import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import type { TrialProgress } from "../../trial/measurer.ts";
import { writeAll } from "../progress.ts";

/** What a trial does now, and how much of its time is left, on stderr: one line that changes, or a line each. */
export class TrialProgressLine implements Disposable {
  readonly #leftMs: () => number;
  readonly #isTerminal: boolean;
  #now: TrialProgress | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #next: ReturnType<typeof setTimeout> | undefined;
  #width = 0;

  constructor(leftMs: () => number, isTerminal = Deno.stderr.isTerminal()) {
    this.#leftMs = leftMs;
    this.#isTerminal = isTerminal;
  }

  show(now: TrialProgress): void {
    this.#now = now;
    if (!this.#isTerminal) {
      // What the journal has is done at once, and the next thing is shown before this one is printed.
      clearTimeout(this.#next);
      this.#next = setTimeout(() => printNote(`kumi: ${renderTrialProgress(now, this.#leftMs())}`));
      return;
    }
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), 1000);
  }

  #draw(): void {
    const text = this.#now === null
      ? ""
      : oneLine(renderTrialProgress(this.#now, this.#leftMs()), this.#columns());
    writeAll(Deno.stderr, `\r${text}${" ".repeat(Math.max(0, this.#width - text.length))}`);
    this.#width = text.length;
  }

  #columns(): number {
    try {
      return Deno.consoleSize().columns - 1;
    } catch {
      return 79;
    }
  }

  /** Removes the line. */
  clear(): void {
    clearTimeout(this.#next);
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!this.#isTerminal || this.#width === 0) return;
    this.#now = null;
    this.#draw();
    writeAll(Deno.stderr, "\r");
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

/** "8 min 12 s left, round 1 of 3, 5 of 12: 1 × 2 threads, …". */
export function renderTrialProgress({ phase, done, of, what }: TrialProgress, leftMs: number): string {
  const place = of > 1 ? `, ${done + 1} of ${of}` : "";
  return `${formatDuration(Math.max(0, leftMs))} left, ${phase}${place}: ${what}`;
}
