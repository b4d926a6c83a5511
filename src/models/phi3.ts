import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { longFactors } from "./positions.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * Phi 3, 3.5 and 4, 4-mini: as Llama, with RoPE over the two halves of the part of a head that turns, by one of two sets of
 * factors. Where a file has a window, all layers see it. Abdin et al. 2024.
 */
export const phi3: ModelFamily = {
  architecture: "phi3",
  pairing: "halves",
  hasLongRope: true,
  ownKeys: WINDOW_KEYS,
  refine: (h, file) => withWindows(h, file, { period: 0 }),
  compose(h, b) {
    const freqFactors = longFactors(h, b);
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors, fused: ["qkv", "gate_up"] }));
  },
};
