import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Phi 1, 1.5 and 2: attention and feed-forward of one norm, RoPE of a part of each head, biases everywhere, of the logits too. Li et al. 2023. */
export const phi2: ModelFamily = {
  architecture: "phi2",
  norm: "layer",
  pairing: "halves",
  compose: (h, b) =>
    composeBlocks(h, b, { parallel: "one norm", outputBias: true, activation: { function: "gelu" } }),
};
