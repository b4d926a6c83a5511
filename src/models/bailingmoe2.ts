import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { PREDICTOR_KEYS, withoutPredictors } from "./predictors.ts";

/**
 * Ling 2 and Ring 2: dense first layers, then experts in groups that a sigmoid and a bias choose, and shared ones; norms of
 * heads' queries and keys, RoPE over the halves of a part of each head. Ling Team 2025.
 */
export const bailingmoe2: ModelFamily = {
  architecture: "bailingmoe2",
  pairing: "halves",
  experts: {
    scoring: "sigmoid",
    normalise: false,
    shared: ({ shared, expert, sharedCount }) => (shared || expert) * sharedCount,
  },
  ownKeys: PREDICTOR_KEYS,
  refine: withoutPredictors,
  compose(h, b) {
    return composeDecoder(h, b, () => ({
      fused: ["qkv"],
      qkNorm: "heads",
      experts: { choiceBias: "optional" },
    }));
  },
};
