import type { ModelRunner } from "./model_runner.ts";
import { cutWindows, scoredRows, type WindowOptions } from "./text_windows.ts";

export interface PerplexityOptions extends WindowOptions {
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
  const { progress, signal } = options;
  const windows = cutWindows([runner], tokens, options);
  let count = 0, sum = 0, sumOfSquares = 0;
  for (const [i, window] of windows.entries()) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    for (const loss of windowLosses(runner, window)) {
      count++;
      sum += loss;
      sumOfSquares += loss * loss;
    }
    progress?.(i + 1, windows.length, Math.exp(sum / count));
  }
  const mean = sum / count;
  const variance = Math.max(0, sumOfSquares / count - mean * mean);
  const value = Math.exp(mean);
  return {
    perplexity: value,
    standardError: value * Math.sqrt(variance / (count - 1)),
    tokens: count,
    windows: windows.length,
  };
}

/** Negative log-likelihoods of the tokens after the middle one. */
function* windowLosses(runner: ModelRunner, tokens: readonly number[]): Generator<number> {
  for (const targets of scoredRows([runner], tokens)) {
    for (const { logprob } of runner.score(targets)) yield -logprob;
  }
}
