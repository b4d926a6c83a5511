import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * Llama 2 and 3.x, Mistral, SmolLM: everything whose files say "llama". Grouped-query attention, RoPE over
 * interleaved pairs (the converter permutes Q and K for that) with optional frequency factors, SwiGLU; and Mixtral, whose
 * feed-forwards are experts. Touvron et al. 2023; Grattafiori et al. 2024; Jiang et al. 2024.
 */
export const llama: ModelFamily = {
  architecture: "llama",
  pairing: "interleaved",
  experts: {},
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};
