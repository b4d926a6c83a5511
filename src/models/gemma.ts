/** What the Gemma families share, and the first of them. @module */

import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** Caps above this would change nothing. */
const CAP_MAX = 1e6;

/** What a Gemma family does where its files say nothing. */
export interface GemmaDefaults {
  /**
   * Layers of its largest model, whose scale of attention is 1/√(hidden / heads) in place of 1/√(elements of a key). Files do
   * not say that.
   */
  layersOfLargest?: number;
  /** Bounds of scores and logits; 0: none. */
  scoreCap?: number;
  logitCap?: number;
}

/** Embeddings scaled by √hidden, the scale of attention, and bounds of scores and logits. */
export function gemmaScales(
  h: Hyperparameters,
  { get }: ModelHeader,
  { layersOfLargest, scoreCap = 0, logitCap = 0 }: GemmaDefaults = {},
): Hyperparameters {
  const { architecture, hidden, layers } = h;
  const [{ heads, keyDim }] = layers;
  const dim = layers.length === layersOfLargest ? Math.floor(hidden / heads) : keyDim;
  const number = (name: string, fallback: number) =>
    get.f32(`${architecture}.${name}`, { min: 0, max: CAP_MAX, fallback }) || undefined;
  return {
    ...h,
    embeddingScale: Math.sqrt(hidden),
    attentionScale: number("attention.scale", 1 / Math.sqrt(dim)),
    scoreCap: number("attn_logit_softcapping", scoreCap),
    logitCap: number("final_logit_softcapping", logitCap),
  };
}

/** Gemma: as Llama, with GEGLU and embeddings scaled by √hidden. Gemma Team 2024. */
export const gemma: ModelFamily = {
  architecture: "gemma",
  pairing: "halves",
  refine: gemmaScales,
  compose: (h, b) => composeDecoder(h, b, () => ({ feedForward: { activation: "gelu" } })),
};
