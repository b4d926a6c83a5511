import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";
import { withoutRope } from "./positions.ts";

/** GPT-2: learned positions, LayerNorm, biases everywhere, GELU. Radford et al. 2019. */
export const gpt2: ModelFamily = {
  architecture: "gpt2",
  norm: "layer",
  pairing: "halves",
  refine: (h) => withoutRope(h, () => true),
  compose: (h, b) =>
    composeBlocks(h, b, { learnedPositions: true, fusedQkv: true, activation: { function: "gelu" } }),
};
