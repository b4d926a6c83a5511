import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Qwen 1.5 and 2 with experts: as Qwen 2, with a shared expert whose factor a router of its own gives; weights stay the
 * softmax over all experts. Yang et al. 2024.
 */
export const qwen2moe: ModelFamily = {
  architecture: "qwen2moe",
  pairing: "halves",
  experts: {
    normalise: false,
    ffn: ({ ffn, used }) => ffn / used,
    shared: ({ shared, ffn }) => shared || ffn,
  },
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "required", experts: { sharedFactor: true } })),
};
