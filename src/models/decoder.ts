/** The decoder that most families share: what they do not say is as Llama has it. @module */

import { attention, type AttentionSpec, type QueryKeyNorm } from "../layers/attention.ts";
import type { DecoderSpec } from "../layers/decoder.ts";
import type { FeedForwardSpec } from "../layers/feed_forward.ts";
import type { LayerPlan } from "../layers/layer.ts";
import type { FreqFactors } from "../layers/rope_table.ts";
import type { LayerShape } from "../layers/shape.ts";
import type { RmsNormSpec } from "../layers/tensors.ts";
import { kvLayerOf } from "../layers/state_shape.ts";
import type { ModelBuilder } from "./builder.ts";
import type { ExpertOptions } from "./experts.ts";
import { declareFeedForward } from "./feed_forward.ts";
import { type Hyperparameters, TOKEN_TABLE } from "./hyperparameters.ts";
import { composeLatent } from "./latent.ts";
import { composeMixer, type LinearOptions } from "./linear.ts";
import { composePredictor } from "./predictors.ts";

/** What differs from Llama in one decoder layer. */
export interface LayerOptions {
  /**
   * What the family's files have in one tensor: queries, keys and values in `attn_qkv`, gate and up in `ffn_up`, what makes keys and
   * values of latent vectors in `attn_kv_b`. Files of every family may. Default: nothing.
   */
  fused?: readonly ("qkv" | "gate_up" | "latent")[];
  /** Biases of queries, keys and values. Default: none. */
  biases?: "required" | "optional";
  /** Whether attention's output has biases. Default: it has none. */
  outputBias?: boolean;
  /** Whether each head has a sink, a score that takes part in its softmax and has no value. Default: none has. */
  sinks?: boolean;
  /** Of layers with experts. Default: as Mixtral has them. */
  experts?: ExpertOptions;
  /** Of layers with linear attention. Default: as Qwen 3.5 has it. */
  linear?: LinearOptions;
  /** An RMSNorm of queries and keys. Default: none. */
  qkNorm?: QueryKeyNorm["of"];
  /** Whether a file may leave that norm out. Default: it may not. */
  isNormOptional?: boolean;
  freqFactors?: FreqFactors;
  /** An RMSNorm of what attention and the feed-forward read. Default: there is one. */
  preNorms?: boolean;
  /** An RMSNorm of what attention and the feed-forward add to the residual stream. */
  postNorms?: boolean;
  /** How the names of the norms behind end. Default: ".weight". */
  postNormEnding?: string;
  /** The tensor of the norm before the feed-forward. Default: "ffn_norm". */
  feedForwardNorm?: string;
  /** Default: as the hyperparameters say. */
  attention?: Partial<Pick<AttentionSpec, "scale" | "softcap">>;
  /** Default: SiLU. */
  feedForward?: Partial<Pick<FeedForwardSpec, "activation">>;
}

/** Embedding, layers, output head, and a predictor where there is one. `optionsOf` says of each layer what is its own; `outputNorm`: the last norm's tensor. */
export function composeDecoder(
  h: Hyperparameters,
  b: ModelBuilder,
  optionsOf: (layer: number) => LayerOptions,
  names: { outputNorm?: string } = {},
): DecoderSpec {
  const layer = (shapes: Hyperparameters, i: number) => composeLayer(shapes, b, i, optionsOf(i));
  const frame = composeFrame(h, b, (i) => layer(h, i), names);
  return { ...frame, predictor: composePredictor(h, b, layer) };
}

/** Embedding, such layers, output head. */
export function composeFrame(
  h: Hyperparameters,
  b: ModelBuilder,
  layer: (i: number) => LayerPlan[],
  { outputNorm = "output_norm" } = {},
): DecoderSpec {
  const { residualScale = 1 } = h;
  return {
    table: b.matrix(TOKEN_TABLE, h.vocab, h.hidden),
    tableScale: (h.embeddingScale ?? 1) / residualScale,
    layers: h.layers.map((_, i) => layer(i)),
    outputNorm: { weight: b.vector(`${outputNorm}.weight`, h.hidden, "norm"), eps: streamEps(h) },
    output: b.optionalMatrix("output.weight", h.vocab, h.hidden, "output"),
    logitScale: h.logitScale ?? 1,
    logitCap: h.logitCap ?? 0,
  };
}

/**
 * The epsilon of norms that read the residual stream. Where what is added to it has a scale r, the stream is kept divided by r:
 * the embeddings are, what is added comes as it is, and norm(x / r) with ε / r² is norm(x) with ε. So the scale costs nothing.
 */
function streamEps({ normEps, residualScale = 1 }: Hyperparameters): number {
  return normEps / residualScale ** 2;
}

/** Attention, then feed-forward, each of the normed residual stream and added to it. */
export function composeLayer(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  options: LayerOptions,
): LayerPlan[] {
  const { hidden, normEps: eps } = h;
  if (h.layers[i].linear !== undefined) {
    return composeAround(h, b, i, options, (norm) => composeMixer(h, b, i, norm, options.linear));
  }
  if (h.layers[i].latent !== undefined) {
    return composeAround(
      h,
      b,
      i,
      options,
      (norm) => composeLatent(h, b, i, norm, options.fused?.includes("latent")),
    );
  }
  const { preNorms = true, feedForwardNorm = "ffn_norm", postNormEnding = ".weight" } = options;
  const shape = h.layers[i];
  const { heads, kvHeads, keyDim, valueDim } = shape;
  const blk = `blk.${i}`;
  const { fused = [] } = options;
  const preNorm = (name: string) =>
    preNorms ? { weight: b.vector(`${blk}.${name}.weight`, hidden, "norm"), eps: streamEps(h) } : undefined;
  const projections = {
    norm: preNorm("attn_norm"),
    q: b.matrix(`${blk}.attn_q.weight`, (shape.isGated ? 2 : 1) * heads * keyDim, hidden),
    k: b.matrix(`${blk}.attn_k.weight`, kvHeads * keyDim, hidden),
    v: b.matrix(`${blk}.attn_v.weight`, kvHeads * valueDim, hidden),
    output: b.matrix(`${blk}.attn_output.weight`, hidden, heads * valueDim, "residual"),
  };
  const feedForwardInput = preNorm(feedForwardNorm);
  const feedForward = declareFeedForward(b, blk, hidden, shape, options);
  const { q, k, v } = projections;
  b.fuse(`${blk}.attn_qkv.weight`, [q, k, v], fused.includes("qkv"));
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
  const qkNorm = qkNormOf(b, `${blk}.attn`, shape, eps, options);
  const postNorm = (name: string) =>
    options.postNorms
      ? { weight: b.vector(`${blk}.${name}${postNormEnding}`, hidden, "norm"), eps }
      : undefined;
  const attentionNorm = postNorm("post_attention_norm"), outputNorm = postNorm("post_ffw_norm");
  const { freqFactors } = options;
  const scale = h.attentionScale ?? 1 / Math.sqrt(keyDim);
  const scores = { scale, softcap: h.scoreCap, sharpening: h.sharpening, postNorm: attentionNorm };
  const outputBias = options.outputBias ? b.vector(`${blk}.attn_output.bias`, hidden, "bias") : undefined;
  const sinks = options.sinks ? b.vector(`${blk}.attn_sinks.weight`, heads, "bias") : undefined;
  const own = { shape, kvLayer: kvLayerOf(h.layers, i), freqFactors, biases, qkNorm, outputBias, sinks };
  return [
    ...feedForward.before,
    attention({ ...projections, ...own, ...scores, ...options.attention }),
    feedForward.plan({
      norm: feedForwardInput,
      activation: "silu",
      postNorm: outputNorm,
      ...options.feedForward,
    }),
  ];
}

/** A layer that has something else in place of attention, in the same frame. */
function composeAround(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  options: LayerOptions,
  mixer: (norm: RmsNormSpec) => LayerPlan,
): LayerPlan[] {
  const { feedForwardNorm = "ffn_norm", feedForward: own } = options;
  const eps = streamEps(h);
  const blk = `blk.${i}`;
  const norm = (name: string) => ({ weight: b.vector(`${blk}.${name}.weight`, h.hidden, "norm"), eps });
  const mixed = mixer(norm("attn_norm"));
  const feedForward = declareFeedForward(b, blk, h.hidden, h.layers[i], options);
  return [
    ...feedForward.before,
    mixed,
    feedForward.plan({ norm: norm(feedForwardNorm), activation: "silu", ...own }),
  ];
}

function qkNormOf(
  b: ModelBuilder,
  name: string,
  { heads, kvHeads, keyDim }: LayerShape,
  eps: number,
  { qkNorm: of, isNormOptional = false }: LayerOptions,
): QueryKeyNorm | undefined {
  if (of === undefined) return undefined;
  const [q, k] = of === "rows" ? [heads * keyDim, kvHeads * keyDim] : [keyDim, keyDim];
  const norm = (end: string, n: number) =>
    isNormOptional ? b.optionalVector(name + end, n, "norm") : b.vector(name + end, n, "norm");
  return { q: norm("_q_norm.weight", q), k: norm("_k_norm.weight", k), eps, of };
}
