import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { PREDICTOR_KEYS, withPredictor } from "./predictors.ts";

/**
 * GLM 4.5 to 4.7: dense first layers, then experts that a sigmoid and a bias choose, and shared ones; biases of queries, keys and
 * values, RoPE over the halves of a part of each head, in the large ones norms of heads' queries and keys. GLM Team 2025.
 */
export const glm4moe: ModelFamily = {
  architecture: "glm4moe",
  pairing: "halves",
  experts: {
    scoring: "sigmoid",
    normalise: false,
    shared: ({ expert, sharedCount }) => expert * sharedCount,
  },
  ownKeys: PREDICTOR_KEYS,
  refine: withPredictor,
  compose(h, b) {
    return composeDecoder(h, b, () => ({
      biases: "optional",
      qkNorm: "heads",
      isNormOptional: true,
      feedForwardNorm: "post_attention_norm",
      experts: { choiceBias: "required" },
    }));
  },
};
