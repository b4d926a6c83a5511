import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Ling 1: as Llama with experts, and shared ones. Ling Team 2025. */
export const bailingmoe: ModelFamily = {
  architecture: "bailingmoe",
  pairing: "interleaved",
  experts: { normalise: false, shared: ({ expert, sharedCount }) => expert * sharedCount },
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};
