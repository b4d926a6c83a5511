import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { withoutRope } from "./positions.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/** Layers of the large model, whose files need not say that it has windows. */
const LARGE_LAYERS = 64, LARGE_WINDOW = 4096;

/**
 * EXAONE 4: norms of what each part adds and none of what it reads, and of heads' queries and keys. In the large one three layers
 * of four see a window, and the others have no RoPE. LG AI Research 2025.
 */
export const exaone4: ModelFamily = {
  architecture: "exaone4",
  pairing: "halves",
  ownKeys: WINDOW_KEYS,
  refine: (h, file) => {
    const window = h.layers.length === LARGE_LAYERS ? LARGE_WINDOW : 0;
    const windowed = withWindows(h, file, { window, period: 4 });
    const isHybrid = windowed.layers.some((layer) => layer.window !== undefined);
    return withoutRope(windowed, (i) => isHybrid && windowed.layers[i].window === undefined);
  },
  compose(h, b) {
    const [{ keyDim }] = h.layers;
    const pairs = Math.max(...h.layers.map(({ rope }) => rope.dimensions)) / 2 || keyDim / 2;
    const freqFactors = b.optionalVector("rope_freqs.weight", pairs, "frequencies");
    return composeDecoder(
      h,
      b,
      () => ({ qkNorm: "heads", preNorms: false, postNorms: true, freqFactors }),
    );
  },
};
