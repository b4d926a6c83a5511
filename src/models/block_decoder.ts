/**
 * The decoder of families that follow GPT rather than Llama: LayerNorm, feed-forwards without a gate, biases, attention and
 * feed-forward of the same input. What a family does not say is as GPT-2 has it.
 * @module
 */

import { attention, type AttentionSpec, type QueryKeyNorm } from "../layers/attention.ts";
import type { DecoderSpec } from "../layers/decoder.ts";
import { feedForward, type FeedForwardSpec } from "../layers/feed_forward.ts";
import type { LayerPlan } from "../layers/layer.ts";
import { parallelBlock } from "../layers/parallel_block.ts";
import type { FreqFactors } from "../layers/rope_table.ts";
import type { LayerShape } from "../layers/shape.ts";
import type { NormSpec, VectorSpec } from "../layers/tensors.ts";
import { ungatedFeedForward, type UngatedFeedForwardSpec } from "../layers/ungated_feed_forward.ts";
import type { ModelBuilder } from "./builder.ts";
import { type Hyperparameters, TOKEN_TABLE } from "./hyperparameters.ts";

/** Whether files have a tensor: they must, they may, they do not. */
export type Presence = "required" | "optional" | "none";

/** What differs from GPT-2. */
export interface BlockOptions {
  /** LayerNorm with weights and biases, with weights, or with neither; or RMSNorm. Default: "biased". */
  norm?: "biased" | "weighted" | "plain" | "rms";
  /** Biases: one word for all, or for those of queries, keys and values, of attention's output, and of the feed-forward. Default: required. */
  biases?: Presence | { qkv: Presence; output: Presence; feedForward: Presence };
  /** Whether the family's files have queries, keys and values in one tensor. Files of every family may. Default: no. */
  fusedQkv?: boolean;
  /** A norm of each head's query and key: an RMSNorm, or a LayerNorm whose weights differ by head. Default: none. */
  qkNorm?: "rms" | "optional layer";
  freqFactors?: FreqFactors;
  /** What the feed-forward computes, or the activation of a layer; "gated": SiLU with a gate. */
  activation:
    | "gated"
    | UngatedFeedForwardSpec["activation"]
    | ((i: number) => UngatedFeedForwardSpec["activation"]);
  /**
   * Attention and feed-forward read the same stream: through one norm, each through its own, or attention through "attn_norm_2" where
   * the file has that. Default: the feed-forward reads what attention has added to.
   */
  parallel?: "one norm" | "two norms" | "optional second norm";
  /** Whether positions are rows of a table. Default: no. */
  learnedPositions?: boolean;
  /** A bias of the logits. */
  outputBias?: boolean;
}

/** Embedding, layers, output head. */
export function composeBlocks(h: Hyperparameters, b: ModelBuilder, options: BlockOptions): DecoderSpec {
  const { hidden, vocab } = h;
  return {
    table: b.matrix(TOKEN_TABLE, vocab, hidden),
    tableScale: h.embeddingScale ?? 1,
    positions: options.learnedPositions
      ? b.matrix("position_embd.weight", h.contextLength, hidden)
      : undefined,
    layers: h.layers.map((shape, i) => composeBlock(h, b, i, shape, options)),
    outputNorm: normOf(h, b, "output_norm", options),
    output: b.optionalMatrix("output.weight", vocab, hidden, "output"),
    outputBias: options.outputBias ? b.vector("output.bias", vocab, "bias") : undefined,
    logitScale: h.logitScale ?? 1,
    logitCap: h.logitCap ?? 0,
  };
}

function composeBlock(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  shape: LayerShape,
  options: BlockOptions,
): LayerPlan[] {
  const { parallel } = options;
  const blk = `blk.${i}`;
  const norm = normOf(h, b, `${blk}.attn_norm`, options);
  const own = attentionOf(h, b, i, shape, options);
  const next = parallel === undefined || parallel === "two norms"
    ? normOf(h, b, `${blk}.ffn_norm`, options)
    : undefined;
  const feed = feedForwardOf(h, b, i, shape, options);
  if (parallel === undefined) {
    const plan = "gate" in feed
      ? feedForward({ ...feed, norm: next })
      : ungatedFeedForward({ ...feed, norm: next });
    return [attention({ ...own, norm }), plan];
  }
  const second = parallel === "optional second norm"
    ? normOf(h, b, `${blk}.attn_norm_2`, options, "optional")
    : undefined;
  return [
    parallelBlock({ norm, attention: { ...own, norm: second }, feedForward: { ...feed, norm: next } }),
  ];
}

function attentionOf(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  shape: LayerShape,
  { biases = "required", fusedQkv = false, qkNorm, freqFactors }: BlockOptions,
): AttentionSpec {
  const { heads, kvHeads, keyDim, valueDim } = shape;
  const name = `blk.${i}.attn`;
  const has = typeof biases === "string" ? { qkv: biases, output: biases } : biases;
  const rows = { q: heads * keyDim, k: kvHeads * keyDim, v: kvHeads * valueDim };
  const q = b.matrix(`${name}_q.weight`, rows.q, h.hidden);
  const k = b.matrix(`${name}_k.weight`, rows.k, h.hidden);
  const v = b.matrix(`${name}_v.weight`, rows.v, h.hidden);
  b.fuse(`${name}_qkv.weight`, [q, k, v], fusedQkv);
  const qBias = biasOf(b, `${name}_q`, rows.q, has.qkv);
  const kBias = biasOf(b, `${name}_k`, rows.k, has.qkv);
  const vBias = biasOf(b, `${name}_v`, rows.v, has.qkv);
  const qkvBiases = qBias && kBias && vBias ? { q: qBias, k: kBias, v: vBias } : undefined;
  if (qkvBiases) b.fuse(`${name}_qkv.bias`, [qBias!, kBias!, vBias!], fusedQkv);
  return {
    shape,
    kvLayer: i,
    scale: h.attentionScale ?? 1 / Math.sqrt(keyDim),
    q,
    k,
    v,
    output: b.matrix(`${name}_output.weight`, h.hidden, heads * valueDim, "residual"),
    biases: qkvBiases,
    outputBias: biasOf(b, `${name}_output`, h.hidden, has.output),
    qkNorm: qkNorm && qkNormOf(h, b, name, shape, qkNorm),
    freqFactors,
    clamp: h.qkvClamp,
  };
}

function qkNormOf(
  { normEps: eps }: Hyperparameters,
  b: ModelBuilder,
  name: string,
  { heads, kvHeads, keyDim }: LayerShape,
  kind: "rms" | "optional layer",
): QueryKeyNorm {
  const weights = (which: string, count: number) =>
    kind === "rms"
      ? b.vector(`${name}_${which}_norm.weight`, keyDim, "norm")
      : b.optionalVectors(`${name}_${which}_norm.weight`, count, keyDim, "norm");
  const norms = { q: weights("q", heads), k: weights("k", kvHeads) };
  return { ...norms, eps, of: "heads", kind: kind === "rms" ? "rms" : "layer" };
}

function feedForwardOf(
  { hidden }: Hyperparameters,
  b: ModelBuilder,
  i: number,
  { ffn }: LayerShape,
  { biases = "required", activation }: BlockOptions,
): FeedForwardSpec | UngatedFeedForwardSpec {
  const name = `blk.${i}.ffn`;
  const has = typeof biases === "string" ? biases : biases.feedForward;
  const up = b.matrix(`${name}_up.weight`, ffn, hidden);
  const down = b.matrix(`${name}_down.weight`, hidden, ffn, "residual");
  if (activation === "gated") {
    const gate = b.matrix(`${name}_gate.weight`, ffn, hidden);
    return { activation: "silu", gate, up, down };
  }
  const upBias = biasOf(b, `${name}_up`, ffn, has), downBias = biasOf(b, `${name}_down`, hidden, has);
  return {
    activation: typeof activation === "function" ? activation(i) : activation,
    up,
    down,
    biases: upBias && downBias ? { up: upBias, down: downBias } : undefined,
  };
}

function biasOf(b: ModelBuilder, name: string, n: number, presence: Presence): VectorSpec | undefined {
  if (presence === "none") return undefined;
  return presence === "required"
    ? b.vector(`${name}.bias`, n, "bias")
    : b.optionalVector(`${name}.bias`, n, "bias");
}

function normOf(
  { hidden, normEps: eps }: Hyperparameters,
  b: ModelBuilder,
  name: string,
  { norm = "biased" }: BlockOptions,
  presence: Presence = "required",
): NormSpec {
  if (norm === "plain") return { kind: "layer", eps };
  const weight = presence === "required"
    ? b.vector(`${name}.weight`, hidden, "norm")
    : b.optionalVector(`${name}.weight`, hidden, "norm");
  if (norm === "rms") return { weight, eps };
  return {
    kind: "layer",
    weight,
    bias: norm === "biased" ? biasOf(b, name, hidden, presence) : undefined,
    eps,
  };
}
