/** How far one model's predictions are from another's over a text. @module */

import type { ModelRunner } from "./model_runner.ts";
import { compareRow } from "./row_divergence.ts";
import { cutWindows, scoredRows, type WindowOptions } from "./text_windows.ts";

export interface CompareOptions extends WindowOptions {
  /** Called after each window with the mean divergence so far. */
  progress?: (doneWindows: number, totalWindows: number, meanDivergence: number) => void;
  signal?: AbortSignal;
}

/** A mean with its standard error. */
export interface Estimate {
  readonly value: number;
  readonly standardError: number;
}

export interface ModelComparison {
  /** Tokens that were scored. */
  readonly tokens: number;
  readonly windows: number;
  /** Of the first and of the second model. */
  readonly perplexity: readonly [Estimate, Estimate];
  /** Of the second model's perplexity to the first's. Far surer than either: both are of the same tokens. */
  readonly perplexityRatio: Estimate;
  /** KL divergence of the second model's distribution from the first's, in nats a token. */
  readonly divergence: Estimate & {
    readonly median: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Share of positions where both think the same token likeliest. */
  readonly sameGreedy: Estimate;
  /** Change of the probability of the token that follows: the second model's less the first's. */
  readonly probabilityChange: { readonly mean: number; readonly meanAbsolute: number; readonly rms: number };
  /** By position in the text's scored tokens, for plots. */
  readonly divergences: Float64Array;
  readonly probabilityChanges: Float64Array;
}

/**
 * Computes the same windows with both models and compares their distributions over the whole vocabulary at each scored token; of
 * logits it holds some rows at a time. Both must be idle. Throws a RangeError for vocabularies of different sizes, a text shorter
 * than one window, and logits that are not finite.
 */
export async function compareModels(
  a: ModelRunner,
  b: ModelRunner,
  tokens: readonly number[],
  options: CompareOptions = {},
): Promise<ModelComparison> {
  const { progress, signal } = options;
  const vocab = a.hyperparameters.vocab;
  if (b.hyperparameters.vocab !== vocab) {
    throw new RangeError(`The models have vocabularies of ${vocab} and ${b.hyperparameters.vocab} tokens`);
  }
  const windows = cutWindows([a, b], tokens, options);
  const divergences: number[] = [], changes: number[] = [], losses: [number, number][] = [];
  let same = 0, sum = 0;
  for (const [i, window] of windows.entries()) {
    for (const targets of scoredRows([a, b], window)) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      const [logitsA, logitsB] = [a.readLogits(), b.readLogits()];
      targets.forEach((target, row) => {
        const rowOf = (logits: Float32Array) => logits.subarray(row * vocab, (row + 1) * vocab);
        const { divergence, logprobA, logprobB, isSameBest } = compareRow(
          rowOf(logitsA),
          rowOf(logitsB),
          target,
        );
        divergences.push(divergence);
        losses.push([-logprobA, -logprobB]);
        changes.push(Math.exp(logprobB) - Math.exp(logprobA));
        same += isSameBest ? 1 : 0;
        sum += divergence;
      });
    }
    progress?.(i + 1, windows.length, sum / divergences.length);
  }
  return summarize(windows.length, divergences, changes, losses, same);
}

function summarize(
  windows: number,
  divergences: readonly number[],
  changes: readonly number[],
  losses: readonly (readonly [number, number])[],
  same: number,
): ModelComparison {
  const tokens = divergences.length;
  const share = same / tokens;
  const sorted = Float64Array.from(divergences).sort();
  const quantile = (q: number) => sorted[Math.min(tokens - 1, Math.floor(q * tokens))];
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / tokens;
  return {
    tokens,
    windows,
    perplexity: [exp(estimate(losses.map(([loss]) => loss))), exp(estimate(losses.map(([, loss]) => loss)))],
    perplexityRatio: exp(estimate(losses.map(([lossA, lossB]) => lossB - lossA))),
    divergence: {
      ...estimate(divergences),
      median: quantile(0.5),
      p90: quantile(0.9),
      p99: quantile(0.99),
      max: sorted[tokens - 1],
    },
    sameGreedy: { value: share, standardError: Math.sqrt(share * (1 - share) / Math.max(1, tokens - 1)) },
    probabilityChange: {
      mean: mean(changes),
      meanAbsolute: mean(changes.map(Math.abs)),
      rms: Math.sqrt(mean(changes.map((change) => change * change))),
    },
    divergences: Float64Array.from(divergences),
    probabilityChanges: Float64Array.from(changes),
  };
}

function estimate(values: readonly number[]): Estimate {
  const count = values.length;
  const value = values.reduce((sum, x) => sum + x, 0) / count;
  const variance = values.reduce((sum, x) => sum + (x - value) ** 2, 0) / Math.max(1, count - 1);
  return { value, standardError: Math.sqrt(variance / count) };
}

/** Of a mean of logarithms. */
function exp({ value, standardError }: Estimate): Estimate {
  return { value: Math.exp(value), standardError: Math.exp(value) * standardError };
}
