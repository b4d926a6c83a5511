import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * OLMo 2 and 3: norms of what each part adds and none of what it reads, and of queries and keys over all heads. In OLMo 3 three
 * layers of four see a window, and their RoPE is not stretched. OLMo Team 2024, 2025.
 */
export const olmo2: ModelFamily = {
  architecture: "olmo2",
  pairing: "halves",
  ownKeys: WINDOW_KEYS,
  refine: (h, file) => withWindows(h, file, { period: 4, unscaled: true }),
  compose: (h, b) => composeDecoder(h, b, () => ({ qkNorm: "rows", preNorms: false, postNorms: true })),
};
