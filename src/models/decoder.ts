/** The decoder that most families share: what they do not say is as Llama has it. @module */

import { attention, type AttentionSpec } from "../layers/attention.ts";
import type { DecoderSpec } from "../layers/decoder.ts";
import { feedForward, type FeedForwardSpec } from "../layers/feed_forward.ts";
import type { LayerPlan } from "../layers/layer.ts";
import type { VectorSpec } from "../layers/tensors.ts";
import type { ModelBuilder } from "./builder.ts";
import { type Hyperparameters, TOKEN_TABLE } from "./hyperparameters.ts";

/** What differs from Llama in one decoder layer. */
export interface LayerOptions {
  /**
   * What the family's files have in one tensor: queries, keys and values in `attn_qkv`, gate and up in `ffn_up`. Files of every
   * family may. Default: nothing.
   */
  fused?: readonly ("qkv" | "gate_up")[];
  /** Biases of queries, keys and values. Default: none. */
  biases?: "required" | "optional";
  /** An RMSNorm of each head's query and key before RoPE. */
  qkNorm?: boolean;
  freqFactors?: VectorSpec;
  /** An RMSNorm of what attention and the feed-forward add to the residual stream. */
  postNorms?: boolean;
  /** Default: as the hyperparameters say. */
  attention?: Partial<Pick<AttentionSpec, "scale" | "softcap" | "sinks">>;
  /** Default: SiLU. */
  feedForward?: Partial<Pick<FeedForwardSpec, "activation">>;
}

/** Embedding, layers, output head. `optionsOf` says of each layer what is its own. */
export function composeDecoder(
  h: Hyperparameters,
  b: ModelBuilder,
  optionsOf: (layer: number) => LayerOptions,
): DecoderSpec {
  return {
    table: b.matrix(TOKEN_TABLE, h.vocab, h.hidden),
    tableScale: h.embeddingScale ?? 1,
    layers: h.layers.map((_, i) => composeLayer(h, b, i, optionsOf(i))),
    outputNorm: { weight: b.vector("output_norm.weight", h.hidden, "norm"), eps: h.normEps },
    output: b.optionalMatrix("output.weight", h.vocab, h.hidden, "output"),
    logitScale: 1,
    logitCap: h.logitCap ?? 0,
  };
}

/** Attention, then feed-forward, each of the normed residual stream and added to it. */
export function composeLayer(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  options: LayerOptions,
): LayerPlan[] {
  const { hidden, normEps: eps } = h;
  const shape = h.layers[i];
  const { heads, kvHeads, keyDim, valueDim, ffn } = shape;
  const blk = `blk.${i}`;
  const { fused = [] } = options;
  const projections = {
    norm: { weight: b.vector(`${blk}.attn_norm.weight`, hidden, "norm"), eps },
    q: b.matrix(`${blk}.attn_q.weight`, heads * keyDim, hidden),
    k: b.matrix(`${blk}.attn_k.weight`, kvHeads * keyDim, hidden),
    v: b.matrix(`${blk}.attn_v.weight`, kvHeads * valueDim, hidden),
    output: b.matrix(`${blk}.attn_output.weight`, hidden, heads * valueDim, "residual"),
  };
  const gated = {
    norm: { weight: b.vector(`${blk}.ffn_norm.weight`, hidden, "norm"), eps },
    gate: b.matrix(`${blk}.ffn_gate.weight`, ffn, hidden),
    up: b.matrix(`${blk}.ffn_up.weight`, ffn, hidden),
    down: b.matrix(`${blk}.ffn_down.weight`, hidden, ffn, "residual"),
  };
  const { q, k, v } = projections, { gate, up } = gated;
  b.fuse(`${blk}.attn_qkv.weight`, [q, k, v], fused.includes("qkv"));
  b.fuse(`${blk}.ffn_up.weight`, [gate, up], fused.includes("gate_up"));
  // What only some families have comes last: random models number their tensors, and those of others stay as they are.
  const bias = (name: string, n: number) => {
    const declare = options.biases === "optional" ? b.optionalVector.bind(b) : b.vector.bind(b);
    return declare(`${blk}.${name}.bias`, n, "bias");
  };
  const biases = options.biases && {
    q: bias("attn_q", heads * keyDim),
    k: bias("attn_k", kvHeads * keyDim),
    v: bias("attn_v", kvHeads * valueDim),
  };
  if (biases) b.fuse(`${blk}.attn_qkv.bias`, [biases.q, biases.k, biases.v], fused.includes("qkv"));
  const qkNorm = options.qkNorm
    ? {
      q: b.vector(`${blk}.attn_q_norm.weight`, keyDim, "norm"),
      k: b.vector(`${blk}.attn_k_norm.weight`, keyDim, "norm"),
      eps,
    }
    : undefined;
  const postNorm = (name: string) =>
    options.postNorms ? { weight: b.vector(`${blk}.${name}.weight`, hidden, "norm"), eps } : undefined;
  const attentionNorm = postNorm("post_attention_norm"), feedForwardNorm = postNorm("post_ffw_norm");
  const { freqFactors } = options;
  const scale = h.attentionScale ?? 1 / Math.sqrt(keyDim);
  const scores = { scale, softcap: h.scoreCap, postNorm: attentionNorm };
  const own = { shape, kvLayer: i, freqFactors, biases, qkNorm };
  return [
    attention({ ...projections, ...own, ...scores, ...options.attention }),
    feedForward({ ...gated, activation: "silu", postNorm: feedForwardNorm, ...options.feedForward }),
  ];
}
