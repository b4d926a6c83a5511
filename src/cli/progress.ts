/**
 * A one-line progress bar on stderr. Silent when stderr is not a terminal, so that pipes and logs stay clean.
 * @module
 */

import { oneLine } from "../process/harmless.ts";
import { formatBytes, formatDuration } from "./units.ts";

const encoder = new TextEncoder();
const REDRAW_INTERVAL_MS = 80;
const BAR_CELLS = 24;

/** Draws `label  [####....]  42 %  1.2 of 2.9 MB  ETA 3 s`, at most every 80 ms. */
export class ProgressLine {
  readonly #label: string;
  readonly #format: (value: number) => string;
  readonly #enabled: boolean;
  readonly #startedMs = performance.now();
  #drawnMs = -Infinity;
  #width = 0;

  /** `format` writes the numbers; bytes unless told otherwise. */
  constructor(label: string, format = formatBytes, enabled = Deno.stderr.isTerminal()) {
    this.#label = label;
    this.#format = format;
    this.#enabled = enabled;
  }

  /** Shows `done` of `total`; `total` 0 means unknown. */
  update(done: number, total: number, note = ""): void {
    if (!this.#enabled) return;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < REDRAW_INTERVAL_MS && done < total) return;
    this.#drawnMs = nowMs;
    this.#draw(renderProgress(this.#label, this.#format, done, total, nowMs - this.#startedMs, note));
  }

  /** Removes the line, so that what follows starts in a clean column. */
  clear(): void {
    if (this.#enabled && this.#width > 0) this.#draw("");
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  #draw(text: string): void {
    const line = oneLine(text);
    const padding = " ".repeat(Math.max(0, this.#width - line.length));
    this.#width = line.length;
    writeAll(Deno.stderr, `\r${line}${padding}${line === "" ? "\r" : ""}`);
  }
}

/** The text of a progress line; pure, so that it can be tested. */
export function renderProgress(
  label: string,
  format: (value: number) => string,
  done: number,
  total: number,
  elapsedMs: number,
  note = "",
): string {
  const tail = note === "" ? "" : `  ${note}`;
  if (total <= 0) return `${label}  ${format(done)}${tail}`;
  const fraction = Math.min(1, done / total);
  const filled = Math.round(fraction * BAR_CELLS);
  const bar = "#".repeat(filled) + ".".repeat(BAR_CELLS - filled);
  const etaMs = fraction > 0.02 && fraction < 1 ? elapsedMs * (1 / fraction - 1) : undefined;
  const eta = etaMs === undefined || etaMs < 1000 ? "" : `  ${formatDuration(etaMs)} left`;
  const percent = `${Math.floor(fraction * 100)}`.padStart(3);
  return `${label}  [${bar}] ${percent} %  ${format(done)} of ${format(total)}${eta}${tail}`;
}

/** Writes the whole text; a terminal or a pipe may take it in parts. */
export function writeAll(target: { writeSync(data: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  for (let written = 0; written < bytes.length;) written += target.writeSync(bytes.subarray(written));
}
