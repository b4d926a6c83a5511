/** A text in windows, of which the second halves are scored, as llama.cpp's tools do. @module */

import { soloTables } from "./kv_groups.ts";
import type { ModelRunner } from "./model_runner.ts";

/** Fewest tokens in a window: two are scored. */
export const WINDOW_TOKENS_MIN = 4;

export interface WindowOptions {
  /** Tokens in a window; default 512, or the runners' context where that is less. */
  window?: number;
  /** Replaces the first token of every window, for models that expect their input to begin so. */
  bos?: number;
}

/** Whole windows of a text for all of these runners. Throws a RangeError for a text shorter than one. */
export function cutWindows(
  runners: readonly ModelRunner[],
  tokens: readonly number[],
  { window, bos }: WindowOptions,
): number[][] {
  const contextLength = Math.min(...runners.map((runner) => runner.contextLength));
  const size = window ?? Math.min(512, contextLength);
  if (!Number.isInteger(size) || size < WINDOW_TOKENS_MIN || size > contextLength) {
    throw new RangeError(
      `Window must be an integer from ${WINDOW_TOKENS_MIN} to ${contextLength}, current value is ${size}`,
    );
  }
  const windows = Math.floor(tokens.length / size);
  if (windows < 1) {
    throw new RangeError(`The text has ${tokens.length} tokens, less than one window of ${size}`);
  }
  return Array.from({ length: windows }, (_, i) => {
    const part = tokens.slice(i * size, (i + 1) * size);
    if (bos !== undefined) part[0] = bos;
    return part;
  });
}

/**
 * Computes a window with each runner, and the logits of the tokens from the middle one on, some at a time: gives the tokens that
 * follow them, while every runner has the logits of their rows. Sequences of the runners must be idle: the window uses their
 * KV caches from the first block on.
 */
export function* scoredRows(
  runners: readonly ModelRunner[],
  tokens: readonly number[],
): Generator<Uint32Array<ArrayBuffer>> {
  const batchMax = Math.min(...runners.map((runner) => runner.batchTokensMax));
  const rowsMax = Math.min(...runners.map((runner) => runner.logitsRowsMax));
  const middle = Math.floor(tokens.length / 2);
  const last = tokens.length - 1;
  for (let first = 0; first < last; first += batchMax) {
    const count = Math.min(batchMax, last - first);
    for (const runner of runners) {
      runner.forward([{ tokens, first, count, tables: soloTables(runner, tokens.length, { first, count }) }]);
    }
    for (let from = Math.max(first, middle); from < first + count; from += rowsMax) {
      const rows = Math.min(rowsMax, first + count - from);
      const indices = Array.from({ length: rows }, (_, i) => from - first + i);
      for (const runner of runners) runner.logits(indices);
      yield Uint32Array.from({ length: rows }, (_, i) => tokens[from + 1 + i]);
    }
  }
}
