import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

const LOGIT_SCALE_MAX = 1e6;

/** The factor of the logits. */
export function withLogitScale(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const scale = get.f32(`${h.architecture}.logit_scale`, { min: 0, max: LOGIT_SCALE_MAX, fallback: 0 });
  return { ...h, logitScale: scale || 1 };
}

/**
 * Command R, Aya 23: LayerNorm without biases, attention and feed-forward of one norm, scaled logits. Command R+ norms each head's
 * query and key. Cohere 2024.
 */
export const commandR: ModelFamily = {
  architecture: "command-r",
  norm: "layer",
  pairing: "interleaved",
  ownKeys: ["logit_scale"],
  refine: withLogitScale,
  compose: (h, b) =>
    composeBlocks(h, b, {
      norm: "weighted",
      biases: { qkv: "optional", output: "none", feedForward: "none" },
      qkNorm: "optional layer",
      parallel: "one norm",
      activation: "gated",
    }),
};
