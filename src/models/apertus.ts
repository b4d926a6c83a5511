import type { UngatedActivation } from "../ffi/context.ts";
import { composeBlocks } from "./block_decoder.ts";
import type { ModelFamily } from "./family.ts";
import type { ModelHeader } from "./hyperparameters.ts";

/** Numbers of an activation beyond this are no model's. */
const NUMBER_MAX = 1e4;

/** Apertus: as Llama without a gate, xIELU in its place, whose numbers differ by layer; norms of heads' queries and keys. Apertus Project 2025. */
export const apertus: ModelFamily = {
  architecture: "apertus",
  pairing: "halves",
  refine: (h, file) => ({ ...h, activations: readXielu(file, h.layers.length) }),
  compose(h, b) {
    const freqFactors = b.optionalVector("rope_freqs.weight", h.layers[0].rope.dimensions / 2, "frequencies");
    return composeBlocks(h, b, {
      norm: "rms",
      biases: { qkv: "optional", output: "optional", feedForward: "none" },
      qkNorm: "rms",
      freqFactors,
      activation: (i) => h.activations![i],
    });
  },
};

/** Their keys lie outside of the family's namespace. */
function readXielu({ get }: ModelHeader, layers: number): UngatedActivation[] {
  const numbers = (name: string, max = NUMBER_MAX) =>
    get.f32s(`xielu.${name}`, layers, { min: -NUMBER_MAX, max });
  const alphaP = numbers("alpha_p"), alphaN = numbers("alpha_n");
  const beta = numbers("beta"), eps = numbers("eps", 0);
  return Array.from({ length: layers }, (_, i) => ({
    function: "xielu",
    alphaP: alphaP[i],
    alphaN: alphaN[i],
    beta: beta[i],
    eps: eps[i],
  }));
}
