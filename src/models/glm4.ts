import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * GLM-4 0414: as Llama, with biases of queries, keys and values, RoPE over interleaved pairs of a part of each head, and norms
 * behind each part of a layer as well. GLM Team 2024.
 */
export const glm4: ModelFamily = {
  architecture: "glm4",
  pairing: "interleaved",
  compose: (h, b) =>
    composeDecoder(h, b, () => ({ biases: "optional", postNorms: true, fused: ["gate_up"] })),
};
