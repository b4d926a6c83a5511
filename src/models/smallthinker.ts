import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { withoutRope } from "./positions.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/** Of layers with windows every fourth, from the first on, sees all and knows no positions. */
const PERIOD = 4;

/**
 * SmallThinker: experts with ReLU as the function of their gates, whose router reads what attention reads, before its norm. Song et al. 2025.
 */
export const smallThinker: ModelFamily = {
  architecture: "smallthinker",
  pairing: "halves",
  experts: {},
  ownKeys: WINDOW_KEYS,
  refine(h, file) {
    const windowed = withWindows(h, file, { period: PERIOD, isFirst: true });
    const hasWindows = windowed.layers.some((layer) => layer.window !== undefined);
    return withoutRope(windowed, (layer) => hasWindows && layer % PERIOD === 0);
  },
  compose: (h, b) =>
    composeDecoder(h, b, () => ({
      experts: { routesLayerInput: true },
      feedForward: { activation: "relu" },
    })),
};
