/** Layers with latent attention: what files say of them, and the tensors that they have. @module */

import { limits } from "../ffi/symbols.ts";
import { latentAttention } from "../layers/latent_attention.ts";
import type { LayerPlan } from "../layers/layer.ts";
import type { LatentShape, LayerShape } from "../layers/shape.ts";
import { kvLayerOf } from "../layers/state_shape.ts";
import type { RmsNormSpec } from "../layers/tensors.ts";
import type { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { mapLayers } from "./predictors.ts";

/** What {@linkcode withLatentAttention} reads. */
export const LATENT_KEYS: readonly string[] = [
  "attention.q_lora_rank",
  "attention.kv_lora_rank",
  "attention.key_length_mla",
  "attention.value_length_mla",
  "rope.scaling.yarn_log_multiplier",
];

const RANK_MAX = 1 << 16;

/**
 * The layers, all with latent attention. Files have what makes keys and values of the latent vector in two tensors and say the sizes of heads
 * beside those of the cache, or, older ones, in one tensor with the sizes of heads alone. Throws ModelError for sizes that kernels do not take,
 * GgufError for values out of range.
 */
export function withLatentAttention(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const key = (name: string) => `${h.architecture}.${name}`;
  const u32 = (name: string, max: number, fallback?: number, min = 1) =>
    get.u32(key(name), { min, max, fallback });
  const rank = u32("attention.kv_lora_rank", RANK_MAX);
  const queryRank = u32("attention.q_lora_rank", RANK_MAX, 0, 0) || undefined;
  const [{ keyDim, valueDim: given, rope }] = h.layers;
  const length = u32("attention.key_length_mla", limits.headDimMax, keyDim);
  const valueDim = u32("attention.value_length_mla", limits.headDimMax, given);
  const turned = rope.dimensions, plain = length - turned;
  if (plain < 1) {
    throw new ModelError(
      `keys of ${length} elements of which ${turned} are turned: latent attention needs others`,
    );
  }
  for (const [what, size] of [["latent vectors", rank], ["values", valueDim]] as const) {
    if (size % limits.panelRows === 0) continue;
    throw new ModelError(
      `latent attention with ${what} of ${size} elements: only multiples of ${limits.panelRows} are supported`,
    );
  }
  const latent: LatentShape = { rank, queryRank, plain, turned, valueDim };
  const { scale, scaling } = stretched(h, get.f32(key("rope.scaling.yarn_log_multiplier"), { fallback: 0 }));
  const layers = mapLayers(h, (layer) => ({
    ...layer,
    kvHeads: 1,
    keyDim: turned + rank,
    valueDim: rank,
    valuesInKeys: true,
    rope: { ...layer.rope, scaling },
    latent,
  }));
  return { ...h, ...layers, attentionScale: scale / Math.sqrt(length) };
}

/**
 * YaRN as DeepSeek has it where the file says `growth`, a tenth of how scores grow with the logarithm of the factor: cosines and sines
 * keep their size, and the scores are multiplied by the square of what they would have.
 */
function stretched({ layers: [{ rope: { scaling } }] }: Hyperparameters, growth: number) {
  if (scaling.type !== "yarn" || growth === 0) return { scale: 1, scaling };
  const logarithm = Math.log(scaling.factor);
  const attentionFactor = scaling.attentionFactor / (1 + 0.1 * logarithm);
  return {
    scale: (scaling.attentionFactor * (1 + growth * logarithm)) ** 2,
    scaling: { ...scaling, attentionFactor },
  };
}

/** Declares the tensors of a layer's latent attention and plans it. `isFused`: files usually have keys and values in one. */
export function composeLatent(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  norm: RmsNormSpec,
  isFused = false,
): LayerPlan {
  const shape = h.layers[i] as LayerShape & { latent: LatentShape };
  const { heads, latent: { rank, queryRank, plain, turned, valueDim } } = shape;
  const { hidden, normEps: eps } = h;
  const blk = `blk.${i}`;
  const normOf = (name: string, n: number) => ({ weight: b.vector(`${blk}.${name}.weight`, n, "norm"), eps });
  const rows = heads * (plain + turned);
  const queryLatent = queryRank === undefined ? undefined : {
    matrix: b.matrix(`${blk}.attn_q_a.weight`, queryRank, hidden),
    norm: normOf("attn_q_a_norm", queryRank),
  };
  const q = b.matrix(`${blk}.attn_q${queryRank === undefined ? "" : "_b"}.weight`, rows, queryRank ?? hidden);
  const kv = b.matrix(`${blk}.attn_kv_a_mqa.weight`, rank + turned, hidden);
  const kvNorm = normOf("attn_kv_a_norm", rank);
  const keys = b.expertMatrices(`${blk}.attn_k_b.weight`, heads, rank, plain);
  const values = b.expertMatrices(`${blk}.attn_v_b.weight`, heads, valueDim, rank);
  b.fuseTransposed(`${blk}.attn_kv_b.weight`, keys, values, isFused);
  return latentAttention({
    shape,
    kvLayer: kvLayerOf(h.layers, i),
    scale: h.attentionScale!,
    norm,
    q,
    queryLatent,
    kv,
    kvNorm,
    keys,
    values,
    output: b.matrix(`${blk}.attn_output.weight`, hidden, heads * valueDim, "residual"),
  });
}
