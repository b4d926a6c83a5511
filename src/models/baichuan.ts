import { composeDecoder } from "./decoder.ts";
import { ModelError } from "./error.ts";
import type { ModelFamily } from "./family.ts";

/** Layers of the 13B models, by which alone their files tell that positions are ALiBi's. */
const ALIBI_LAYERS = 40;

/** Baichuan 1 and 2, the 7B models: as Llama. Yang et al. 2023. */
export const baichuan: ModelFamily = {
  architecture: "baichuan",
  pairing: "interleaved",
  refine(h) {
    if (h.layers.length !== ALIBI_LAYERS) return h;
    throw new ModelError(`baichuan.block_count is ${ALIBI_LAYERS}, which asks for ALiBi: not supported`);
  },
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "optional" })),
};
