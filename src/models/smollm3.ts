import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { withoutRope } from "./positions.ts";

/** SmolLM3: as Llama, and every fourth layer has no RoPE. Bakouch et al. 2025; Yang et al. 2025 (NoPE). */
export const smollm3: ModelFamily = {
  architecture: "smollm3",
  pairing: "interleaved",
  refine: (h) => withoutRope(h, (layer) => layer % 4 === 3),
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "optional" })),
};
