import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { qwen35 } from "./qwen35.ts";

/** Qwen 3.5 with experts, and a shared one whose factor a router of its own gives. Qwen Team 2026. */
export const qwen35moe: ModelFamily = {
  ...qwen35,
  architecture: "qwen35moe",
  experts: { ffn: ({ ffn, used }) => ffn / used, shared: ({ shared, ffn }) => shared || ffn },
  compose(h, b) {
    return composeDecoder(h, b, () => ({
      qkNorm: "heads",
      feedForwardNorm: "post_attention_norm",
      experts: { sharedFactor: true },
    }));
  },
};
