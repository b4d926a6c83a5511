import { soloTables } from "./kv_groups.ts";
import type { ModelRunner } from "./model_runner.ts";

/** Fewest tokens in a window: two are scored. */
export const WINDOW_TOKENS_MIN = 4;

export interface PerplexityOptions {
  /** Tokens in a window; default 512, or the runner's context where that is less. */
  window?: number;
  /** Replaces the first token of every window, for models that expect their input to begin so. */
  bos?: number;
  /** Called after each window with the perplexity so far. */
  progress?: (doneWindows: number, totalWindows: number, perplexity: number) => void;
  signal?: AbortSignal;
}

export interface PerplexityResult {
  /** exp of the mean negative log-likelihood in nats. */
  perplexity: number;
  /** Standard error of `perplexity`. */
  standardError: number;
  /** Tokens that were scored. */
  tokens: number;
  windows: number;
}

/**
 * Perplexity of a text, as llama.cpp's tool measures it: the tokens are cut into whole windows, and in each one the
 * tokens of the second half are scored from what stands before them in the window. Sequences of the runner must be
 * idle: the windows use its KV cache from the first block on. Throws a RangeError for a text shorter than one window.
 */
export async function perplexity(
  runner: ModelRunner,
  tokens: readonly number[],
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { bos, progress, signal } = options;
  const size = options.window ?? Math.min(512, runner.contextLength);
  if (!Number.isInteger(size) || size < WINDOW_TOKENS_MIN || size > runner.contextLength) {
    throw new RangeError(
      `Window must be an integer from ${WINDOW_TOKENS_MIN} to ${runner.contextLength}, current value is ${size}`,
    );
  }
  const windows = Math.floor(tokens.length / size);
  if (windows < 1) {
    throw new RangeError(`The text has ${tokens.length} tokens, less than one window of ${size}`);
  }
  let count = 0, sum = 0, sumOfSquares = 0;
  for (let i = 0; i < windows; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    const window = tokens.slice(i * size, (i + 1) * size);
    if (bos !== undefined) window[0] = bos;
    for (const loss of windowLosses(runner, window)) {
      count++;
      sum += loss;
      sumOfSquares += loss * loss;
    }
    progress?.(i + 1, windows, Math.exp(sum / count));
  }
  const mean = sum / count;
  const variance = Math.max(0, sumOfSquares / count - mean * mean);
  const value = Math.exp(mean);
  return {
    perplexity: value,
    standardError: value * Math.sqrt(variance / (count - 1)),
    tokens: count,
    windows,
  };
}

/** Negative log-likelihoods of the tokens after the middle one. */
function* windowLosses(runner: ModelRunner, tokens: readonly number[]): Generator<number> {
  const middle = Math.floor(tokens.length / 2);
  const last = tokens.length - 1;
  for (let first = 0; first < last; first += runner.batchTokensMax) {
    const count = Math.min(runner.batchTokensMax, last - first);
    const tables = soloTables(runner, tokens.length, { first, count });
    runner.forward([{ tokens, first, count, tables }]);
    for (let from = Math.max(first, middle); from < first + count; from += runner.logitsRowsMax) {
      const rows = Math.min(runner.logitsRowsMax, first + count - from);
      runner.logits(Array.from({ length: rows }, (_, i) => from - first + i));
      const targets = Uint32Array.from({ length: rows }, (_, i) => tokens[from + 1 + i]);
      for (const { logprob } of runner.score(targets)) yield -logprob;
    }
  }
}
