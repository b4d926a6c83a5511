import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Qwen 2 and 2.5: as Llama, with biases on Q, K and V, and RoPE over the two halves of a head.
 * Yang et al. 2024.
 */
export const qwen2: ModelFamily = {
  architecture: "qwen2",
  pairing: "halves",
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "required" })),
};
