import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** Qwen 3 with experts: as Qwen 3 else. Yang et al. 2025. */
export const qwen3moe: ModelFamily = {
  architecture: "qwen3moe",
  pairing: "halves",
  experts: { ffn: ({ ffn, used }) => ffn / used },
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "heads" })),
};
