import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { gemmaScales } from "./gemma.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * Gemma 3, the text model: norms of heads' queries and keys, norms before and behind each part of a layer, GEGLU, embeddings
 * scaled by √hidden. Five layers of six see a window and turn with a base of their own. Gemma Team 2025.
 */
export const gemma3: ModelFamily = {
  architecture: "gemma3",
  pairing: "halves",
  ownKeys: [...WINDOW_KEYS, "attention.scale", "final_logit_softcapping"],
  refine: (h, file) => {
    const defaults = { layersOfLargest: 62 };
    return gemmaScales(withWindows(h, file, { period: 6, ropeBase: 10_000 }), file, defaults);
  },
  compose: (h, b) =>
    composeDecoder(h, b, () => ({
      qkNorm: "heads",
      postNorms: true,
      feedForward: { activation: "gelu" },
    })),
};
