import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * OLMoE: as Llama with experts, with norms of queries and keys over all heads, and RoPE over the two halves of a head; weights stay the softmax
 * over all experts. Muennighoff et al. 2024.
 */
export const olmoe: ModelFamily = {
  architecture: "olmoe",
  pairing: "halves",
  experts: { normalise: false },
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "rows" })),
};
