import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** ERNIE 4.5 with experts, in all layers but the first ones: as Llama, with shared experts and a bias where experts are chosen. Baidu 2025. */
export const ernie45Moe: ModelFamily = {
  architecture: "ernie4_5-moe",
  pairing: "interleaved",
  experts: {},
  compose: (h, b) =>
    composeDecoder(h, b, () => ({ biases: "optional", experts: { choiceBias: "optional" } })),
};
