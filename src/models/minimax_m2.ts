import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/**
 * MiniMax M2: experts that a sigmoid and a bias choose, norms of queries and keys over all heads, RoPE over the halves of a part
 * of each head. MiniMax 2025.
 */
export const minimaxM2: ModelFamily = {
  architecture: "minimax-m2",
  pairing: "halves",
  experts: { scoring: "sigmoid" },
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "rows", experts: { choiceBias: "required" } })),
};
