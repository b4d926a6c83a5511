import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { DELTA_RULE_KEYS, withDeltaRule } from "./linear.ts";
import { PREDICTOR_KEYS, withPredictor } from "./predictors.ts";

/**
 * Qwen 3.5: three layers of four have the gated delta rule in place of attention, whose output is gated in the others; norms of
 * heads' queries and keys, RoPE over the halves of a part of each head. Qwen Team 2026.
 */
export const qwen35: ModelFamily = {
  architecture: "qwen35",
  pairing: "halves",
  // Sections of positions differ for pictures alone.
  ownKeys: [...DELTA_RULE_KEYS, ...PREDICTOR_KEYS, "rope.dimension_sections"],
  refine: (h, file) => withDeltaRule(withPredictor(h, file), file),
  compose(h, b) {
    return composeDecoder(h, b, () => ({ qkNorm: "heads", feedForwardNorm: "post_attention_norm" }));
  },
};
