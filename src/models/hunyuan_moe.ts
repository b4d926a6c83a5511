import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Hunyuan with experts and a shared one: else as the dense ones, with norms of heads' queries and keys after RoPE. Tencent 2025. */
export const hunyuanMoe: ModelFamily = {
  architecture: "hunyuan-moe",
  pairing: "halves",
  experts: { shared: ({ shared, ffn }) => shared || ffn },
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", qkNorm: "turned heads", freqFactors }));
  },
};
