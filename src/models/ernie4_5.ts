import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** The dense ones of ERNIE 4.5: as Llama. Baidu 2025. */
export const ernie45: ModelFamily = {
  architecture: "ernie4_5",
  pairing: "interleaved",
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "optional" })),
};
