import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Qwen 3 (dense): as Llama, with an RMSNorm of each head's query and key before RoPE over the two halves of a
 * head, and a head size of its own (heads · keyDim need not be hidden). Yang et al. 2025.
 */
export const qwen3: ModelFamily = {
  architecture: "qwen3",
  pairing: "halves",
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "heads" })),
};
