import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** The dense ones of Hunyuan: as Llama, with norms of heads' queries and keys after RoPE. Tencent 2025. */
export const hunyuanDense: ModelFamily = {
  architecture: "hunyuan-dense",
  pairing: "halves",
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", qkNorm: "turned heads", freqFactors }));
  },
};
