import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { SHORT_CONVOLUTION_KEYS, withShortConvolutions } from "./linear.ts";

/**
 * LFM2: most layers have a gated short convolution in place of attention, the others norms of heads' queries and keys. Liquid AI
 * 2025.
 */
export const lfm2: ModelFamily = {
  architecture: "lfm2",
  pairing: "halves",
  hasHeadlessLayers: true,
  ownKeys: SHORT_CONVOLUTION_KEYS,
  refine: withShortConvolutions,
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "heads" }), { outputNorm: "token_embd_norm" }),
};

/** LFM2 with experts behind dense first layers, which a sigmoid and a bias choose. Liquid AI 2025. */
export const lfm2moe: ModelFamily = {
  ...lfm2,
  architecture: "lfm2moe",
  experts: { scoring: "sigmoid" },
  compose: (h, b) =>
    composeDecoder(
      h,
      b,
      () => ({ qkNorm: "heads", experts: { choiceBias: "required" } }),
      { outputNorm: "token_embd_norm" },
    ),
};
