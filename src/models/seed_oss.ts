import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Seed-OSS: as Llama, with biases of queries, keys and values, and RoPE over the two halves of a head. ByteDance Seed 2025. */
export const seedOss: ModelFamily = {
  architecture: "seed_oss",
  pairing: "halves",
  compose: (h, b) =>
    composeDecoder(h, b, () => ({ biases: "optional", feedForwardNorm: "post_attention_norm" })),
};
