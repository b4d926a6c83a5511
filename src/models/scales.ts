/** Factors that files give for parts of a model. @module */

import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** What {@linkcode withScales} reads. */
export const SCALE_KEYS: readonly string[] = [
  "attention.scale",
  "embedding_scale",
  "residual_scale",
  "logit_scale",
];

/** Factors beyond this are no models'. */
const SCALE_MAX = 1e6;

/** What a family does where its files say nothing. Default: nothing is scaled. */
export interface ScaleDefaults {
  embedding?: number;
  residual?: number;
  /** Divides the logits. */
  logits?: number;
}

/**
 * The scales of embeddings, of what layers add to the residual stream, and of attention's scores; `logit_scale` divides the logits.
 * A factor of 0 asks for nothing. Throws GgufError for factors that cannot be.
 */
export function withScales(
  h: Hyperparameters,
  { get }: ModelHeader,
  { embedding = 1, residual = 1, logits = 1 }: ScaleDefaults = {},
): Hyperparameters {
  const factor = (name: string, fallback: number) =>
    get.f32(`${h.architecture}.${name}`, { min: 0, max: SCALE_MAX, fallback });
  return {
    ...h,
    embeddingScale: factor("embedding_scale", embedding) || 1,
    residualScale: factor("residual_scale", residual) || 1,
    attentionScale: factor("attention.scale", 0) || undefined,
    logitScale: 1 / (factor("logit_scale", logits) || 1),
  };
}
