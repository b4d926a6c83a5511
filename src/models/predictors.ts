/** Layers behind the last one that predict tokens after the next: answers do not need them, but the first of them can guess. @module */

import type { LayerPlan } from "../layers/layer.ts";
import type { PredictorSpec } from "../layers/predictor.ts";
import { ROW_STEP } from "../layers/scratch.ts";
import type { LayerShape } from "../layers/shape.ts";
import type { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** What {@linkcode withoutPredictors} and {@linkcode withPredictor} read. */
export const PREDICTOR_KEYS: readonly string[] = ["nextn_predict_layers"];

/** The tensor without which layer `i` is no predictor: files of some have the layer and not what makes it one. */
export function predictorTensor(i: number): string {
  return `blk.${i}.nextn.eh_proj.weight`;
}

/** The layers without those that predict further tokens. Throws ModelError where no other ones are left. */
export function withoutPredictors(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const key = `${h.architecture}.nextn_predict_layers`;
  const predictors = get.u32(key, { max: 1024, fallback: 0 });
  if (predictors >= h.layers.length) {
    throw new ModelError(`${key} is ${predictors}, and the file has ${h.layers.length} layers in all`);
  }
  return { ...h, layers: h.layers.slice(0, h.layers.length - predictors), predictors };
}

/** … and the first one of them beside the layers, where the file has it: those behind it predict tokens that are further away. */
export function withPredictor(h: Hyperparameters, file: ModelHeader): Hyperparameters {
  const own = withoutPredictors(h, file);
  const first = own.layers.length;
  return file.tensors.has(predictorTensor(first)) ? { ...own, predictor: h.layers[first] } : own;
}

/**
 * The predictor of a file that has one, behind its layers; the tensors of all others are declared as some that nothing reads.
 * `layer`: what layer `i` of these hyperparameters is made of. Throws ModelError where no kernel computes it.
 */
export function composePredictor(
  h: Hyperparameters,
  b: ModelBuilder,
  layer: (h: Hyperparameters, i: number) => LayerPlan[],
): PredictorSpec | undefined {
  const { layers, predictor, predictors = 0, hidden, vocab, normEps: eps } = h;
  const i = layers.length;
  for (let other = predictor === undefined ? 0 : 1; other < predictors; other++) {
    b.ignore(`blk.${i + other}.`);
  }
  if (predictor === undefined) return undefined;
  if (hidden % ROW_STEP !== 0) {
    throw new ModelError(`a predictor of ${hidden} elements: only multiples of ${ROW_STEP} are supported`);
  }
  const name = `blk.${i}.nextn`;
  const norm = (what: string) => ({ weight: b.vector(`${name}.${what}.weight`, hidden, "norm"), eps });
  return {
    layer: layer({ ...h, layers: [...layers, predictor] }, i),
    project: b.matrix(predictorTensor(i), hidden, 2 * hidden),
    tokenNorm: norm("enorm"),
    stateNorm: norm("hnorm"),
    table: b.optionalMatrix(`${name}.embed_tokens.weight`, vocab, hidden),
    outputNorm: { weight: b.optionalVector(`${name}.shared_head_norm.weight`, hidden, "norm"), eps },
    output: b.optionalMatrix(`${name}.shared_head_head.weight`, vocab, hidden),
  };
}

/** The shapes with what a family's `change` makes of each of its layers, of the predictor too. */
export function mapLayers(
  h: Hyperparameters,
  change: (layer: LayerShape, i: number) => LayerShape,
): Pick<Hyperparameters, "layers" | "predictor"> {
  const { layers, predictor } = h;
  return { layers: layers.map(change), predictor: predictor && change(predictor, layers.length) };
}
