import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** EXAONE 3 and 3.5: as Llama 3, with RoPE over the two halves of a head. LG AI Research 2024. */
export const exaone: ModelFamily = {
  architecture: "exaone",
  pairing: "halves",
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};
