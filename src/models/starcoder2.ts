import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/** StarCoder 2: LayerNorm, biases everywhere, GELU as GPT-2, with grouped queries and RoPE. Lozhkov et al. 2024. */
export const starcoder2: ModelFamily = {
  architecture: "starcoder2",
  norm: "layer",
  pairing: "halves",
  compose: (h, b) => composeBlocks(h, b, { activation: { function: "gelu" } }),
};
