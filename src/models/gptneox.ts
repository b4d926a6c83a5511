import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * GPT-NeoX, Pythia: attention and feed-forward read the same stream through norms of their own, unless the file says that one
 * comes after the other; RoPE of a part of each head. GELU is the form with tanh, as in the library that trained them. Black et
 * al. 2022; Biderman et al. 2023.
 */
export const gptneox: ModelFamily = {
  architecture: "gptneox",
  norm: "layer",
  pairing: "halves",
  ownKeys: ["use_parallel_residual"],
  refine: (h, { get }) => ({ ...h, isParallel: get.bool("gptneox.use_parallel_residual") }),
  compose: (h, b) =>
    composeBlocks(h, b, {
      fusedQkv: true,
      parallel: h.isParallel ? "two norms" : undefined,
      activation: { function: "gelu" },
    }),
};
