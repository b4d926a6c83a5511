import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/** CodeShell: as StarCoder 2, with queries, keys and values in one tensor. Xie et al. 2024. */
export const codeshell: ModelFamily = {
  architecture: "codeshell",
  norm: "layer",
  pairing: "halves",
  compose: (h, b) => composeBlocks(h, b, { fusedQkv: true, activation: { function: "gelu" } }),
};
