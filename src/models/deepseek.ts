import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** DeepSeek MoE 16B: as Llama with experts in all layers but the first, and shared ones. Dai et al. 2024. */
export const deepseek: ModelFamily = {
  architecture: "deepseek",
  pairing: "interleaved",
  experts: { normalise: false, shared: ({ expert, sharedCount }) => expert * sharedCount },
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};
