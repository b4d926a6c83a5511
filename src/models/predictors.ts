/** Layers behind the last one that predict tokens after the next: files have them, and answers do not need them. @module */

import type { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** What {@linkcode withoutPredictors} reads. */
export const PREDICTOR_KEYS: readonly string[] = ["nextn_predict_layers"];

/** The layers without those that predict further tokens. Throws ModelError where no other ones are left. */
export function withoutPredictors(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const key = `${h.architecture}.nextn_predict_layers`;
  const predictors = get.u32(key, { max: 1024, fallback: 0 });
  if (predictors >= h.layers.length) {
    throw new ModelError(`${key} is ${predictors}, and the file has ${h.layers.length} layers in all`);
  }
  return { ...h, layers: h.layers.slice(0, h.layers.length - predictors), predictors };
}

/** Declares their tensors as some that nothing reads. */
export function skipPredictors({ layers, predictors = 0 }: Hyperparameters, b: ModelBuilder): void {
  for (let i = 0; i < predictors; i++) b.ignore(`blk.${layers.length + i}.`);
}
