import { attention } from "../layers/attention.ts";
import { experts } from "../layers/experts.ts";
import type { LayerPlan } from "../layers/layer.ts";
import { kvLayerOf } from "../layers/state_shape.ts";
import type { RmsNormSpec } from "../layers/tensors.ts";
import { ungatedFeedForward } from "../layers/ungated_feed_forward.ts";
import type { ModelBuilder } from "./builder.ts";
import { composeFrame } from "./decoder.ts";
import { declareExperts } from "./experts.ts";
import type { ModelFamily } from "./family.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import { composeMixer, MAMBA2_KEYS, withMamba2 } from "./linear.ts";
import { withoutRope } from "./positions.ts";

/**
 * Nemotron H, Nemotron Nano 2: layers of one part each behind a norm: Mamba-2, attention without positions, or a feed-forward of squared
 * ReLU without a gate. NVIDIA 2025.
 */
export const nemotronH: ModelFamily = {
  architecture: "nemotron_h",
  pairing: "halves",
  hasOnePart: true,
  ownKeys: MAMBA2_KEYS,
  refine: (h, file) => withMamba2(withoutRope(h, () => true), file, ({ ffn }) => ffn === 0),
  compose: (h, b) =>
    composeFrame(h, b, (i) => {
      const norm = { weight: b.vector(`blk.${i}.attn_norm.weight`, h.hidden, "norm"), eps: h.normEps };
      return [composePart(h, b, i, norm)];
    }),
};

/** Nemotron 3 Nano: as Nemotron H, with experts without a gate that a sigmoid and a bias choose, and a shared one. NVIDIA 2025. */
export const nemotronHMoe: ModelFamily = {
  ...nemotronH,
  architecture: "nemotron_h_moe",
  experts: { scoring: "sigmoid", normalise: false },
  refine: (h, file) =>
    withMamba2(withoutRope(h, () => true), file, ({ ffn, experts }) => ffn === 0 && !experts),
};

function composePart(h: Hyperparameters, b: ModelBuilder, i: number, norm: RmsNormSpec): LayerPlan {
  const layer = h.layers[i];
  const { linear, kvHeads, heads, keyDim, valueDim, ffn, experts: routed } = layer;
  const blk = `blk.${i}`;
  if (linear !== undefined) return composeMixer(h, b, i, norm, { rule: "mamba2" });
  if (routed !== undefined) {
    const options = { choiceBias: "required", isUngated: true } as const;
    const spec = declareExperts(b, blk, h.hidden, { ...layer, experts: routed }, options);
    return experts({ ...spec, norm, activation: "reluSquared" });
  }
  if (kvHeads === 0) {
    const up = b.matrix(`${blk}.ffn_up.weight`, ffn, h.hidden);
    const down = b.matrix(`${blk}.ffn_down.weight`, h.hidden, ffn, "residual");
    return ungatedFeedForward({ activation: { function: "reluSquared" }, norm, up, down });
  }
  const q = b.matrix(`${blk}.attn_q.weight`, heads * keyDim, h.hidden);
  const k = b.matrix(`${blk}.attn_k.weight`, kvHeads * keyDim, h.hidden);
  const v = b.matrix(`${blk}.attn_v.weight`, kvHeads * valueDim, h.hidden);
  b.fuse(`${blk}.attn_qkv.weight`, [q, k, v]);
  return attention({
    shape: h.layers[i],
    kvLayer: kvLayerOf(h.layers, i),
    scale: 1 / Math.sqrt(keyDim),
    norm,
    q,
    k,
    v,
    output: b.matrix(`${blk}.attn_output.weight`, h.hidden, heads * valueDim, "residual"),
  });
}
