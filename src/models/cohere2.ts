import { composeBlocks } from "./block_decoder.ts";
import { withLogitScale } from "./command_r.ts";
import type { ModelFamily } from "./family.ts";
import { withoutRope } from "./positions.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * Command R7B, Command A, Aya Expanse's successors: as Command R; three layers of four see a window and turn, the fourth sees all
 * and knows no positions. Cohere 2025.
 */
export const cohere2: ModelFamily = {
  architecture: "cohere2",
  norm: "layer",
  pairing: "interleaved",
  ownKeys: [...WINDOW_KEYS, "logit_scale"],
  refine(h, file) {
    file.get.u32("cohere2.attention.sliding_window", { min: 1 });
    const windowed = withWindows(withLogitScale(h, file), file, { period: 4 });
    return withoutRope(windowed, (layer) => windowed.layers[layer].window === undefined);
  },
  compose: (h, b) =>
    composeBlocks(h, b, {
      norm: "weighted",
      biases: { qkv: "optional", output: "none", feedForward: "none" },
      parallel: "one norm",
      activation: "gated",
    }),
};
