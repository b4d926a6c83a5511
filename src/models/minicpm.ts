import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { longFactors } from "./positions.ts";
import { SCALE_KEYS, withScales } from "./scales.ts";

/** Hidden size of the model whose learning rates are those of all sizes. */
const BASE_HIDDEN = 256;

/** MiniCPM: as Granite, with factors that follow from the sizes where a file says nothing. Hu et al. 2024. */
export const minicpm: ModelFamily = {
  architecture: "minicpm",
  pairing: "interleaved",
  hasLongRope: true,
  ownKeys: SCALE_KEYS,
  refine: (h, file) => {
    const residual = 1.4 / Math.sqrt(h.layers.length);
    return withScales(h, file, { embedding: 12, residual, logits: h.hidden / BASE_HIDDEN });
  },
  compose(h, b) {
    const freqFactors = longFactors(h, b);
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};
