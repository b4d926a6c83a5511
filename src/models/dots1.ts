import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";

/** dots.llm1: dense first layers, experts that a sigmoid and a bias choose, shared ones; norms of heads. Huo et al. 2025. */
export const dots1: ModelFamily = {
  architecture: "dots1",
  pairing: "halves",
  experts: { normalise: false, shared: ({ expert, sharedCount }) => expert * sharedCount },
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "heads", experts: { choiceBias: "optional" } })),
};
