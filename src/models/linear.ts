/** Layers without keys and values: what files say of them, and the tensors that they have. @module */

import { limits } from "../ffi/symbols.ts";
import type { HeadSharing } from "../ffi/symbols.ts";
import type { MetadataReader } from "../gguf/metadata.ts";
import type { LayerPlan } from "../layers/layer.ts";
import { linearAttention, type LinearAttentionSpec } from "../layers/linear_attention.ts";
import { shortConvolution } from "../layers/short_convolution.ts";
import type { LayerShape, LinearShape } from "../layers/shape.ts";
import { stateOffset } from "../layers/state_shape.ts";
import type { RmsNormSpec } from "../layers/tensors.ts";
import type { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";
import { mapLayers } from "./predictors.ts";

/** What {@linkcode withDeltaRule} reads. */
export const DELTA_RULE_KEYS: readonly string[] = [
  "ssm.conv_kernel",
  "ssm.inner_size",
  "ssm.state_size",
  "ssm.time_step_rank",
  "ssm.group_count",
  "full_attention_interval",
  "attention.recurrent_layers",
];

/** What {@linkcode withMamba2} reads. */
export const MAMBA2_KEYS: readonly string[] = [
  "ssm.conv_kernel",
  "ssm.inner_size",
  "ssm.state_size",
  "ssm.time_step_rank",
  "ssm.group_count",
];

/** What {@linkcode withShortConvolutions} reads. */
export const SHORT_CONVOLUTION_KEYS: readonly string[] = ["shortconv.l_cache"];

/** Vectors of this many channels are what the kernels take. */
const CHANNEL_STEP = 16;
/** Elements of a key or a value. */
const HEAD_DIM_MAX = 256;
const HEADS_MAX = 1024;

/**
 * The layers, all but every fourth one with the gated delta rule in place of attention, or as the file says; those with attention gate
 * its output. Throws ModelError for sizes that kernels do not take, GgufError for values out of range.
 */
export function withDeltaRule(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const key = (name: string) => `${h.architecture}.${name}`;
  const u32 = (name: string, max: number, min = 1) => get.u32(key(name), { min, max });
  const keyDim = u32("ssm.state_size", HEAD_DIM_MAX);
  const heads = u32("ssm.time_step_rank", HEADS_MAX), keyHeads = u32("ssm.group_count", HEADS_MAX);
  const inner = u32("ssm.inner_size", HEADS_MAX * HEAD_DIM_MAX);
  const taps = u32("ssm.conv_kernel", limits.convTapsMax, 2);
  if (heads % keyHeads !== 0) {
    throw new ModelError(`${heads} heads of linear attention cannot share ${keyHeads} key heads`);
  }
  // Converters write one size for keys and values.
  if (inner !== heads * keyDim) {
    throw new ModelError(
      `${key("ssm.inner_size")} is ${inner}, and ${heads} heads of ${keyDim} elements have ${heads * keyDim}`,
    );
  }
  const linear: LinearShape = {
    channels: 2 * keyHeads * keyDim + inner,
    taps,
    heads,
    keyHeads,
    keyDim,
    valueDim: keyDim,
  };
  if (keyDim % CHANNEL_STEP !== 0 || limits.convHeadMax % keyDim !== 0) {
    throw new ModelError(
      `${
        key("ssm.state_size")
      } is ${keyDim}: supported are divisors of ${limits.convHeadMax} from ${CHANNEL_STEP} on`,
    );
  }
  const uneven = h.layers.find((layer) => layer.keyDim !== layer.valueDim);
  if (uneven !== undefined) {
    throw new ModelError(
      `gated attention with keys of ${uneven.keyDim} elements and values of ${uneven.valueDim}: not supported`,
    );
  }
  const isLinear = readLinearLayers(h, get);
  // A predictor has attention, wherever it stands.
  const change = (layer: LayerShape, i: number) =>
    i < h.layers.length && isLinear(i) ? { ...layer, linear } : { ...layer, isGated: true };
  return { ...h, ...mapLayers(h, change) };
}

/** Which layers have linear attention: a file says it of each, or which ones have not. */
function readLinearLayers(
  { architecture, layers }: Hyperparameters,
  get: MetadataReader,
): (i: number) => boolean {
  const key = `${architecture}.attention.recurrent_layers`;
  if (get.has(key)) {
    const each = get.array(key);
    if (each.length < layers.length) {
      throw new ModelError(`${key} has ${each.length} values for ${layers.length} layers`);
    }
    return (i) => Boolean(each[i]);
  }
  const interval = get.u32(`${architecture}.full_attention_interval`, { min: 1, max: 1024, fallback: 4 });
  return (i) => (i + 1) % interval !== 0;
}

/**
 * The layers, those without heads of keys and values for which `has` holds with Mamba-2 in place of attention. Throws ModelError for
 * sizes that kernels do not take, GgufError for values out of range.
 */
export function withMamba2(
  h: Hyperparameters,
  { get }: ModelHeader,
  has?: (layer: LayerShape) => boolean,
): Hyperparameters {
  const key = (name: string) => `${h.architecture}.${name}`;
  const u32 = (name: string, max: number, min = 1) => get.u32(key(name), { min, max });
  const keyDim = u32("ssm.state_size", HEAD_DIM_MAX);
  const heads = u32("ssm.time_step_rank", HEADS_MAX), keyHeads = u32("ssm.group_count", HEADS_MAX);
  const inner = u32("ssm.inner_size", HEADS_MAX * HEAD_DIM_MAX);
  const valueDim = inner / heads;
  if (heads % keyHeads !== 0 || !Number.isInteger(valueDim)) {
    throw new ModelError(`${heads} heads cannot have ${inner} values and share ${keyHeads} groups of states`);
  }
  if (keyDim % CHANNEL_STEP !== 0 || valueDim % CHANNEL_STEP !== 0) {
    throw new ModelError(
      `heads with ${keyDim} × ${valueDim} elements of state: only multiples of ${CHANNEL_STEP} are supported`,
    );
  }
  const channels = inner + 2 * keyHeads * keyDim;
  const taps = u32("ssm.conv_kernel", limits.convTapsMax, 2);
  return withLinear(h, { channels, taps, heads, keyHeads, keyDim, valueDim }, has);
}

/** The layers, those without heads of keys and values for which `has` holds with this in place of attention. */
function withLinear(
  h: Hyperparameters,
  linear: LinearShape,
  has: (layer: LayerShape) => boolean = () => true,
): Hyperparameters {
  const layers = h.layers.map((layer) => layer.kvHeads === 0 && has(layer) ? { ...layer, linear } : layer);
  return { ...h, layers };
}

/** The layers, those without heads of keys and values with a short convolution in place of attention. */
export function withShortConvolutions(h: Hyperparameters, { get }: ModelHeader): Hyperparameters {
  const taps = get.u32(`${h.architecture}.shortconv.l_cache`, { min: 2, max: limits.convTapsMax });
  if (h.hidden % CHANNEL_STEP !== 0) {
    throw new ModelError(
      `short convolutions of ${h.hidden} channels: only multiples of ${CHANNEL_STEP} are supported`,
    );
  }
  const linear: LinearShape = { channels: h.hidden, taps, heads: 0, keyHeads: 0, keyDim: 0, valueDim: 0 };
  return withLinear(h, linear);
}

/** What differs from Qwen 3.5 in linear attention. */
export interface LinearOptions {
  /** Default: "delta". */
  rule?: "delta" | "mamba2";
  /** Whether betas and alphas are in one tensor, `ssm_ba`. Default: in two. */
  isJoint?: boolean;
  /** Which key head a head has. Default: "strided"; Mamba-2's heads always share with neighbours. */
  sharing?: keyof typeof HeadSharing;
}

/** What layer `i` has in place of attention, behind `norm`: declares its tensors. */
export function composeMixer(
  h: Hyperparameters,
  b: ModelBuilder,
  i: number,
  norm: RmsNormSpec,
  options: LinearOptions = {},
): LayerPlan {
  const blk = `blk.${i}`;
  const own = { shape: h.layers[i].linear!, stateOffset: stateOffset(h.layers, i), norm };
  if (own.shape.heads > 0) {
    const declare = options.rule === "mamba2" ? declareMamba2 : declareDeltaRule;
    return linearAttention({ ...own, ...declare(h, b, blk, own.shape, options) });
  }
  const { channels, taps } = own.shape;
  return shortConvolution({
    ...own,
    input: b.matrix(`${blk}.shortconv.in_proj.weight`, 3 * channels, h.hidden),
    conv: b.vectors(`${blk}.shortconv.conv.weight`, channels, taps, "kernel"),
    output: b.matrix(`${blk}.shortconv.out_proj.weight`, h.hidden, channels, "residual"),
  });
}

/** What files have of linear attention. */
type LinearTensors = Omit<LinearAttentionSpec, "shape" | "stateOffset" | "norm">;

function declareDeltaRule(
  { hidden, normEps: eps }: Hyperparameters,
  b: ModelBuilder,
  blk: string,
  { channels, taps, heads, valueDim }: LinearShape,
  { isJoint = false, sharing = "strided" }: LinearOptions,
): LinearTensors {
  return {
    rule: "delta",
    qkv: b.matrix(`${blk}.attn_qkv.weight`, channels, hidden),
    gate: b.matrix(`${blk}.attn_gate.weight`, heads * valueDim, hidden),
    gates: isJoint ? { betaAlpha: b.matrix(`${blk}.ssm_ba.weight`, 2 * heads, hidden) } : {
      beta: b.matrix(`${blk}.ssm_beta.weight`, heads, hidden),
      alpha: b.matrix(`${blk}.ssm_alpha.weight`, heads, hidden),
    },
    conv: b.vectors(`${blk}.ssm_conv1d.weight`, channels, taps, "kernel"),
    decay: b.vector(`${blk}.ssm_a`, heads, "decay"),
    dt: b.vector(`${blk}.ssm_dt.bias`, heads, "bias"),
    outputNorm: { weight: b.vector(`${blk}.ssm_norm.weight`, valueDim, "norm"), eps, length: valueDim },
    output: b.matrix(`${blk}.ssm_out.weight`, hidden, heads * valueDim, "residual"),
    sharing,
  };
}

/** Files have one input projection: what gates the output, then what is convolved, then the steps' sizes. */
function declareMamba2(
  { hidden, normEps: eps }: Hyperparameters,
  b: ModelBuilder,
  blk: string,
  { channels, taps, heads, keyHeads, valueDim }: LinearShape,
): LinearTensors {
  const inner = heads * valueDim;
  const gate = b.matrix(`${blk}.ssm_in_gate.weight`, inner, hidden);
  const qkv = b.matrix(`${blk}.ssm_in_qkv.weight`, channels, hidden);
  const alpha = b.matrix(`${blk}.ssm_in_dt.weight`, heads, hidden);
  b.fuse(`${blk}.ssm_in.weight`, [gate, qkv, alpha], true);
  return {
    rule: "additive",
    qkv,
    gate,
    gates: { alpha },
    conv: b.vectors(`${blk}.ssm_conv1d.weight`, channels, taps, "kernel"),
    convBias: b.vector(`${blk}.ssm_conv1d.bias`, channels, "bias"),
    decay: b.vectors(`${blk}.ssm_a`, heads, 1, "decay"),
    dt: b.vector(`${blk}.ssm_dt.bias`, heads, "bias"),
    skip: b.vectors(`${blk}.ssm_d`, heads, 1, "norm"),
    outputNorm: {
      weight: b.vectors(`${blk}.ssm_norm.weight`, keyHeads, inner / keyHeads, "norm"),
      eps,
      length: inner / keyHeads,
    },
    output: b.matrix(`${blk}.ssm_out.weight`, hidden, inner, "residual"),
    sharing: "neighbours",
  };
}
