import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * PLaMo 3: norms of heads' queries and keys, norms before and behind each part of a layer. Seven layers of eight see a window and turn
 * with a base of their own. The names of the norms behind have no ending. Preferred Networks 2025.
 */
export const plamo3: ModelFamily = {
  architecture: "plamo3",
  pairing: "halves",
  ownKeys: WINDOW_KEYS,
  refine: (h, file) => withWindows(h, file, { period: 8, ropeBase: 10_000, unscaled: false }),
  compose: (h, b) =>
    composeDecoder(h, b, () => ({
      qkNorm: "heads",
      postNorms: true,
      postNormEnding: "",
      fused: ["qkv", "gate_up"],
    })),
};
