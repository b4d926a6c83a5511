/** Which layers know the positions of tokens, and by what factors. @module */

import type { LongFactors } from "../layers/rope_table.ts";
import type { ModelBuilder } from "./builder.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** The layers without RoPE where `isWithout` says so. */
export function withoutRope(
  h: Hyperparameters,
  isWithout: (layer: number) => boolean,
): Hyperparameters {
  const layers = h.layers.map((layer, i) =>
    isWithout(i) ? { ...layer, rope: { ...layer.rope, dimensions: 0 } } : layer
  );
  return { ...h, layers };
}

/** The factors of RoPE that files of long contexts have, two sets of them. */
export function longFactors({ layers, originalContext }: Hyperparameters, b: ModelBuilder): LongFactors {
  const pairs = layers[0].rope.dimensions / 2;
  return {
    long: b.optionalVector("rope_factors_long.weight", pairs, "frequencies"),
    short: b.optionalVector("rope_factors_short.weight", pairs, "frequencies"),
    originalContext,
  };
}
