import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Queries beyond this are no model's. */
const CLAMP_MAX = 1e6;

/** OLMo 1: as Llama, with LayerNorm that has neither weights nor biases; some bound queries, keys and values. Groeneveld et al. 2024. */
export const olmo: ModelFamily = {
  architecture: "olmo",
  norm: "layer",
  pairing: "interleaved",
  ownKeys: ["attention.clamp_kqv"],
  refine: (h, { get }) => ({
    ...h,
    qkvClamp: get.f32("olmo.attention.clamp_kqv", { min: 0, max: CLAMP_MAX, fallback: 0 }),
  }),
  compose: (h, b) => composeBlocks(h, b, { norm: "plain", biases: "none", activation: "gated" }),
};
