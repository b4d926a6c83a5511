import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Nemotron 4, Minitron: LayerNorm, squared ReLU, RoPE of a part of each head. Files have the norms' weights with the 1 that the
 * model adds to them. Parmar et al. 2024.
 */
export const nemotron: ModelFamily = {
  architecture: "nemotron",
  norm: "layer",
  pairing: "halves",
  compose: (h, b) => composeBlocks(h, b, { biases: "optional", activation: { function: "reluSquared" } }),
};
