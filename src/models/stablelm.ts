import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * StableLM: as Llama, with LayerNorm and RoPE of a part of each head. The 12B norms each head's query and key, and its feed-forward
 * reads what its attention does: its files have no norm before the feed-forward, whatever else they say. Bellagente et al. 2024.
 */
export const stablelm: ModelFamily = {
  architecture: "stablelm",
  norm: "layer",
  pairing: "halves",
  ownKeys: ["use_parallel_residual"],
  refine(h, { get, tensors }) {
    const saysSo = get.bool("stablelm.use_parallel_residual", { fallback: false });
    return { ...h, isParallel: saysSo && !tensors.has("blk.0.ffn_norm.weight") };
  },
  compose: (h, b) =>
    composeBlocks(h, b, {
      biases: { qkv: "optional", output: "none", feedForward: "none" },
      qkNorm: "optional layer",
      parallel: h.isParallel ? "one norm" : undefined,
      activation: "gated",
    }),
};
