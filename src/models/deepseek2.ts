import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { LATENT_KEYS, withLatentAttention } from "./latent.ts";
import { PREDICTOR_KEYS, withPredictor } from "./predictors.ts";

/**
 * DeepSeek V2 and V3: latent attention, dense first layers, then experts, of V3 chosen by a sigmoid and a bias in
 * groups, and shared ones. DeepSeek-AI 2024.
 */
export const deepseek2: ModelFamily = {
  architecture: "deepseek2",
  pairing: "interleaved",
  experts: { normalise: false, shared: ({ expert, sharedCount }) => expert * sharedCount },
  ownKeys: [...PREDICTOR_KEYS, ...LATENT_KEYS],
  refine: (h, file) => withLatentAttention(withPredictor(h, file), file),
  compose(h, b) {
    return composeDecoder(h, b, () => ({ experts: { choiceBias: "optional" } }));
  },
};
