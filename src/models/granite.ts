import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { MAMBA2_KEYS, withMamba2 } from "./linear.ts";
import { longFactors, withoutRope } from "./positions.ts";
import { SCALE_KEYS, withScales } from "./scales.ts";

const common: Omit<ModelFamily, "architecture"> = {
  pairing: "interleaved",
  hasLongRope: true,
  ownKeys: [...SCALE_KEYS, "rope.scaling.finetuned"],
  refine(h, file) {
    const hasRope = file.get.bool(`${h.architecture}.rope.scaling.finetuned`, { fallback: true });
    return withoutRope(withScales(h, file), () => !hasRope);
  },
  compose(h, b) {
    const freqFactors = longFactors(h, b);
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};

/**
 * Granite 3 and the dense ones of 4: as Llama, with factors of the embeddings, the residual stream, attention's scores and the
 * logits. A file whose `rope.scaling.finetuned` is false has no RoPE. IBM 2024.
 */
export const granite: ModelFamily = { architecture: "granite", ...common };

/** Granite with experts, and with a shared one where files have it. */
export const graniteMoe: ModelFamily = { architecture: "granitemoe", experts: {}, ...common };

/** Granite 4's hybrid ones: Mamba-2 in place of attention in most layers, experts or none. IBM 2025. */
export const graniteHybrid: ModelFamily = {
  ...graniteMoe,
  architecture: "granitehybrid",
  hasHeadlessLayers: true,
  ownKeys: [...common.ownKeys ?? [], ...MAMBA2_KEYS],
  refine: (h, file) => withMamba2(common.refine!(h, file), file),
  compose(h, b) {
    const freqFactors = longFactors(h, b);
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors, linear: { rule: "mamba2" } }));
  },
};
