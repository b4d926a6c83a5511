import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/**
 * Ministral 3: as Llama, with YaRN and attention that grows sharper with the position, as Llama 4's. Mistral AI 2025.
 */
export const mistral3: ModelFamily = {
  architecture: "mistral3",
  pairing: "interleaved",
  ownKeys: ["attention.temperature_scale", "rope.scaling.yarn_log_multiplier"],
  refine: (h, file) => withSharpening(withYarnAmplitude(h, file), file),
  compose(h, b) {
    const [{ rope }] = h.layers;
    const freqFactors = b.optionalVector("rope_freqs.weight", rope.dimensions / 2, "frequencies");
    return composeDecoder(h, b, () => ({ biases: "optional", freqFactors }));
  },
};

function withSharpening(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const by = get.f32(`${h.architecture}.attention.temperature_scale`, { min: 0, max: 1e3, fallback: 0 });
  return by === 0 ? h : { ...h, sharpening: { by, length: h.originalContext } };
}

/** Cosines and sines that YaRN makes longer by 1 + 0.1 · ln factor are made shorter by 1 + 0.1 · multiplier · ln factor. */
function withYarnAmplitude(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const key = `${h.architecture}.rope.scaling.yarn_log_multiplier`;
  const multiplier = get.f32(key, { min: 0, max: 1e3, fallback: 0 });
  const layers = h.layers.map((layer) => {
    const { scaling } = layer.rope;
    if (scaling.type !== "yarn") return layer;
    const shorter = 1 + 0.1 * multiplier * Math.log(Math.max(1, scaling.factor));
    const attentionFactor = scaling.attentionFactor / shorter;
    return { ...layer, rope: { ...layer.rope, scaling: { ...scaling, attentionFactor } } };
  });
  return { ...h, layers };
}
