import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { DELTA_RULE_KEYS, withDeltaRule } from "./linear.ts";

/**
 * Qwen 3 Next: as Qwen 3.5 with experts, but heads that share keys are neighbours, and have alphas and betas in one tensor. Qwen
 * Team 2025.
 */
export const qwen3next: ModelFamily = {
  architecture: "qwen3next",
  pairing: "halves",
  experts: { ffn: ({ ffn, used }) => ffn / used, shared: ({ shared, ffn }) => shared || ffn },
  ownKeys: DELTA_RULE_KEYS,
  refine: withDeltaRule,
  compose: (h, b) =>
    composeDecoder(h, b, () => ({
      qkNorm: "heads",
      feedForwardNorm: "post_attention_norm",
      linear: { isJoint: true, sharing: "neighbours" },
      experts: { sharedFactor: true },
    })),
};
