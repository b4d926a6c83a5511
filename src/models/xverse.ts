import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** XVERSE: as Llama. XVERSE Technology 2023. */
export const xverse: ModelFamily = {
  architecture: "xverse",
  pairing: "interleaved",
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "optional" })),
};
