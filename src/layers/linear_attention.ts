import {
  DeltaRuleCall,
  f32At,
  type Kernels,
  ShortConvCall,
  type Vector,
  type Weights,
} from "../ffi/context.ts";
import type { HeadSharing } from "../ffi/symbols.ts";
import type { Activation } from "./activation.ts";
import { type Layer, type LayerContext, type LayerPlan, statesOf } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { LinearScratch, Scratch } from "./scratch.ts";
import type { LinearShape } from "./shape.ts";
import { inputsBytes } from "./state_shape.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the linear attention of one layer is. Matrices are [rows, k]. */
export interface LinearAttentionSpec {
  shape: LinearShape;
  /** Where the layer has its part in each sequence's state, in bytes. */
  stateOffset: number;
  /** Of the residual stream before the projections: [hidden]. Default: they read the stream as it is. */
  norm?: NormSpec;
  /** Queries, keys and values of all heads: [2 · keyHeads · keyDim + heads · valueDim, hidden]. */
  qkv: MatrixSpec;
  /** What gates the output: [heads · valueDim, hidden]. */
  gate: MatrixSpec;
  /**
   * How much each head forgets and how strongly it writes: matrices [heads, hidden], or one [2 · heads, hidden] with the betas of the
   * heads of a key head before their alphas.
   */
  gates: { alpha: MatrixSpec; beta: MatrixSpec } | { betaAlpha: MatrixSpec };
  /** Of the short convolution of queries, keys and values: [channels, taps]. */
  conv: VectorSpec;
  /** A head keeps e^(decay · softplus(alpha + dt)) of its matrix: [heads] each. */
  decay: VectorSpec;
  dt: VectorSpec;
  /** Of each head's output before its gate: [valueDim]. */
  outputNorm: { weight: VectorSpec; eps: number };
  /** [hidden, heads · valueDim] */
  output: MatrixSpec;
  /** Which key head a head has. */
  sharing: keyof typeof HeadSharing;
}

/** What is added to the squared length of queries and keys. */
const LENGTH_EPS = 1e-6;

/** Plans the linear attention of a layer. */
export function linearAttention(spec: LinearAttentionSpec): LayerPlan {
  return { create: (context) => new LinearAttention(context, spec) };
}

/**
 * x += W_o · (norm(o) · silu(W_z · n)), n = norm(x), o what the gated delta rule gives of queries, keys and values W_qkv · n after a
 * short convolution, SiLU and, of queries and keys, a norm of their lengths. Six calls, seven where alphas and betas have
 * matrices of their own. Yang, Kautz & Hatamizadeh 2024.
 */
export class LinearAttention implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #regions: LinearScratch;
  readonly #input: LayerInput;
  readonly #qkv: Weights;
  readonly #gate: Weights;
  /** Betas, or betas and alphas; alphas where they have a matrix of their own. */
  readonly #beta: Weights;
  readonly #alpha: Weights | undefined;
  readonly #conv: ShortConvCall;
  readonly #rule: DeltaRuleCall;
  readonly #norm: Vector;
  readonly #spec: LinearAttentionSpec;
  readonly #mixed: Activation;
  readonly #add: ResidualProduct;

  constructor(context: LayerContext, spec: LinearAttentionSpec) {
    const { kernels, scratch, tensors } = context;
    if (scratch.linear === undefined) {
      throw new Error("Cannot make linear attention: the scratch has no regions for it");
    }
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#regions = scratch.linear;
    this.#spec = spec;
    this.#qkv = tensors.matrix(spec.qkv);
    this.#gate = tensors.matrix(spec.gate);
    const { gates } = spec;
    this.#beta = tensors.matrix("beta" in gates ? gates.beta : gates.betaAlpha);
    this.#alpha = "alpha" in gates ? tensors.matrix(gates.alpha) : undefined;
    this.#norm = tensors.vector(spec.outputNorm.weight);
    const output = tensors.matrix(spec.output);
    const readers = [this.#qkv, this.#gate, this.#beta, ...this.#alpha === undefined ? [] : [this.#alpha]];
    this.#input = new StreamInput(context, spec.norm, readers);
    this.#mixed = scratch.mixed.formsFor([output]);
    this.#add = new ResidualProduct(context, output, {});
    this.#conv = convolutionOf(context, spec);
    this.#rule = ruleOf(context, spec, this.#regions);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, { gate: projected, q: z } = this.#scratch;
    const { shape: { heads, valueDim }, outputNorm: { eps } } = this.#spec;
    const { alpha, beta } = this.#regions;
    const x = this.#input.activation;
    this.#input.forward(tokens);
    kernels.matmul(
      x,
      tokens,
      false,
      this.#qkv,
      undefined,
      projected,
      this.#gate,
      undefined,
      z,
      this.#beta,
      undefined,
      beta,
    );
    if (this.#alpha !== undefined) kernels.matmul(x, tokens, false, this.#alpha, undefined, alpha);
    kernels.shortConv(this.#conv);
    kernels.deltaRule(this.#rule);
    const { y } = this.#rule.params;
    kernels.gatedNorm(y, z, this.#norm, heads * valueDim, valueDim, tokens, eps, "normThenGate", this.#mixed);
    this.#add.forward(this.#mixed, tokens);
  }
}

/** Of what was projected, into another region. */
function convolutionOf(
  context: LayerContext,
  { shape, stateOffset, conv }: LinearAttentionSpec,
): ShortConvCall {
  const { scratch, tensors } = context;
  const { channels, taps, keyHeads, keyDim } = shape;
  return new ShortConvCall({
    state: { states: statesOf(context), offset: stateOffset },
    x: scratch.gate,
    stride: channels,
    inputsAt: 0,
    weights: tensors.vector(conv),
    channels,
    taps,
    silu: true,
    norm: {
      head: keyDim,
      queryHeads: keyHeads,
      keyHeads,
      scale: 1 / Math.sqrt(keyDim),
      eps: LENGTH_EPS,
    },
    y: f32At(scratch.up),
  });
}

/** Of what was convolved, into the region of what was projected. */
function ruleOf(
  context: LayerContext,
  { shape, stateOffset, gates, decay, dt, sharing }: LinearAttentionSpec,
  { alpha, beta }: LinearScratch,
): DeltaRuleCall {
  const { scratch, tensors } = context;
  const { channels, heads, keyHeads, keyDim, valueDim } = shape;
  const isJoint = "betaAlpha" in gates;
  const group = isJoint ? heads / keyHeads : heads;
  return new DeltaRuleCall({
    state: { states: statesOf(context), offset: stateOffset + inputsBytes(shape) },
    x: scratch.up,
    row: channels,
    queriesAt: 0,
    keysAt: keyHeads * keyDim,
    valuesAt: 2 * keyHeads * keyDim,
    alpha: isJoint ? { region: beta, at: group } : { region: alpha, at: 0 },
    beta: { region: beta, at: 0 },
    gateRow: isJoint ? 2 * heads : heads,
    gateGroup: group,
    decay: tensors.vector(decay),
    dt: tensors.vector(dt),
    heads,
    keyHeads,
    keyDim,
    valueDim,
    sharing,
    rule: "delta",
    y: scratch.gate,
  });
}
