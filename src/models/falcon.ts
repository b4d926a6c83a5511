import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Falcon: attention and feed-forward of one norm (7B, one key and value for all heads) or each of its own (40B, grouped queries),
 * no biases but the norms', GELU in its exact form. Almazrouei et al. 2023.
 */
export const falcon: ModelFamily = {
  architecture: "falcon",
  norm: "layer",
  pairing: "halves",
  compose: (h, b) =>
    composeBlocks(h, b, {
      biases: "none",
      fusedQkv: true,
      parallel: "optional second norm",
      activation: { function: "geluExact" },
    }),
};
