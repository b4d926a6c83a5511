import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { gemmaScales } from "./gemma.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * Gemma 2: as Gemma, with norms before and behind each part of a layer, soft caps of scores and logits, and a window in every
 * other layer. Gemma Team 2024.
 */
export const gemma2: ModelFamily = {
  architecture: "gemma2",
  pairing: "halves",
  ownKeys: [...WINDOW_KEYS, "attention.scale", "attn_logit_softcapping", "final_logit_softcapping"],
  refine: (h, file) => {
    const defaults = { layersOfLargest: 46, scoreCap: 50, logitCap: 30 };
    return gemmaScales(withWindows(h, file, { window: 4096, period: 2 }), file, defaults);
  },
  compose: (h, b) => composeDecoder(h, b, () => ({ postNorms: true, feedForward: { activation: "gelu" } })),
};
