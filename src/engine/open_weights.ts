/** The file of a model that is to be loaded. @module */

import { Kernels } from "../ffi/context.ts";
import { type GgufFile, quantizedView } from "../gguf/mod.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import { openModel } from "../safetensors/open_model.ts";

/** An open file, and what belongs to it. */
export interface OpenedModel extends Disposable {
  readonly file: GgufFile;
  /** Sentences for the user. */
  readonly warnings: readonly string[];
}

/** Opens a model, with `weights` as one whose weights are quantised as they are read. Throws as openModel and quantizedView do. */
export async function openWeights(
  path: string,
  { weights, threads, isa, libraryPath }: EngineOptions,
  signal: AbortSignal,
): Promise<OpenedModel> {
  using opening = new DisposableStack();
  const file = opening.use(await openModel(path, { signal }));
  let view: { file: GgufFile; warnings: readonly string[] } = { file, warnings: [] };
  if (weights !== undefined) {
    // A team of its own, until all is read: the runner has none yet when the file is judged.
    const kernels = opening.use(Kernels.open({ threads, isa, libraryPath, workspaceBytes: 64 }));
    view = quantizedView(file, weights, kernels);
  }
  const opened = opening.move();
  return { ...view, [Symbol.dispose]: () => opened.dispose() };
}
