import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** InternLM 2 and 2.5: as Llama. Cai et al. 2024. */
export const internlm2: ModelFamily = {
  architecture: "internlm2",
  pairing: "interleaved",
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "optional" })),
};
