import type { ImportanceContents, ImportanceSums } from "../gguf/mod.ts";
import { soloTables } from "./kv_groups.ts";
import type { ModelRunner } from "./model_runner.ts";
import type { ProductListener } from "./product_inputs.ts";
import { cutWindows, type WindowOptions } from "./text_windows.ts";

/** Sums what a model's matrices multiply: {@linkcode ImportanceCollector.listener} is for `RunnerOptions.onProduct`. */
export class ImportanceCollector {
  readonly #sums = new Map<string, { sums: Float64Array; counts: number[] }>();

  /** Counts the matrices of layers: the output matrix has as much to say everywhere, and no mix takes many bits from it. */
  readonly listener: ProductListener = (names, x, columns, { index, count } = { index: 0, count: 1 }) => {
    const [first, ...others] = names;
    if (!first.startsWith("blk.")) return;
    const k = x.length / columns;
    let entry = this.#sums.get(first);
    if (entry === undefined) {
      entry = { sums: new Float64Array(k * count), counts: Array(count).fill(0) };
      // What one input is for has one sum.
      for (const name of [first, ...others]) this.#sums.set(name, entry);
    }
    entry.counts[index] += columns;
    addSquares(entry.sums.subarray(index * k, (index + 1) * k), x);
  };

  /** Of all tokens so far. */
  get matrices(): ReadonlyMap<string, ImportanceSums> {
    return this.#sums;
  }
}

/** x: rows as long as `sums`. */
function addSquares(sums: Float64Array, x: Float32Array): void {
  const k = sums.length;
  for (let row = 0; row < x.length; row += k) {
    for (let i = 0; i < k; i++) {
      const value = x[row + i];
      sums[i] += value * value;
    }
  }
}

export interface ImportanceOptions extends WindowOptions {
  /** Windows at most; default: all of the text. */
  chunks?: number;
  /** Called after each window. */
  progress?: (doneWindows: number, totalWindows: number) => void;
  signal?: AbortSignal;
}

/**
 * Computes windows of a text, as llama.cpp's tool does, with a runner that tells `collector` of its products. Gives what an
 * importance file holds. Throws a RangeError for a text shorter than one window, and for activations that are not finite.
 */
export async function collectImportance(
  runner: ModelRunner,
  collector: ImportanceCollector,
  tokens: readonly number[],
  dataset: string,
  options: ImportanceOptions = {},
): Promise<ImportanceContents> {
  const { chunks, progress, signal } = options;
  const windows = cutWindows([runner], tokens, options).slice(0, chunks);
  const size = windows[0].length;
  for (const [i, window] of windows.entries()) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    for (let first = 0; first < size; first += runner.batchTokensMax) {
      const count = Math.min(runner.batchTokensMax, size - first);
      runner.forward([{ tokens: window, first, count, tables: soloTables(runner, size, { first, count }) }]);
    }
    progress?.(i + 1, windows.length);
  }
  for (const [name, { sums }] of collector.matrices) {
    if (!Array.from(sums).every(Number.isFinite)) {
      throw new RangeError(
        `What ${name} multiplies is not finite: the model's weights or its format are at fault`,
      );
    }
  }
  return { matrices: collector.matrices, datasets: [dataset], chunks: windows.length, chunkTokens: size };
}
