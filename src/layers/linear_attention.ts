import {
  DeltaRuleCall,
  f32At,
  type Kernels,
  type Region,
  ShortConvCall,
  type Vector,
  type Weights,
} from "../ffi/context.ts";
import type { HeadSharing, StateRule } from "../ffi/symbols.ts";
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
  /**
   * The gated delta rule, whose queries and keys have a norm of their lengths; or the additive one of Mamba-2, with the step's size in
   * alpha's place.
   */
  rule: keyof typeof StateRule;
  /**
   * Queries, keys and values of all heads, [2 · keyHeads · keyDim + heads · valueDim, hidden], in this order; with the additive rule
   * in the opposite one.
   */
  qkv: MatrixSpec;
  /** What gates the output: [heads · valueDim, hidden]. */
  gate: MatrixSpec;
  /**
   * How much each head forgets and, with the delta rule, how strongly it writes: matrices [heads, hidden], or one [2 · heads, hidden]
   * with the betas of the heads of a key head before their alphas.
   */
  gates: { alpha: MatrixSpec; beta?: MatrixSpec } | { betaAlpha: MatrixSpec };
  /** Of the short convolution of queries, keys and values: [channels, taps]. */
  conv: VectorSpec;
  /** [channels] */
  convBias?: VectorSpec;
  /** A head keeps e^(decay · softplus(alpha + dt)) of its matrix: [heads] each. */
  decay: VectorSpec;
  dt: VectorSpec;
  /** How much of its values a head gives as they are: [heads]. */
  skip?: VectorSpec;
  /** Of the output, with the delta rule before its gate, with the additive one behind it: [length], or [heads · valueDim] for parts of `length`. */
  outputNorm: { weight: VectorSpec; eps: number; length: number };
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
 * short convolution, SiLU and, of queries and keys, a norm of their lengths; or x += W_o · norm(o · silu(W_z · n)) with the additive rule.
 * Six calls, seven where alphas and betas have matrices of their own. Yang, Kautz & Hatamizadeh 2024; Dao & Gu 2024 (Mamba-2).
 */
export class LinearAttention implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #input: LayerInput;
  readonly #qkv: Weights;
  readonly #gate: Weights;
  /** Alphas and betas, in one matrix or in two. */
  readonly #gates: readonly GateProduct[];
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
    this.#spec = spec;
    this.#qkv = tensors.matrix(spec.qkv);
    this.#gate = tensors.matrix(spec.gate);
    this.#gates = gateProducts(context, spec, scratch.linear);
    this.#norm = tensors.vector(spec.outputNorm.weight);
    const output = tensors.matrix(spec.output);
    const readers = [this.#qkv, this.#gate, ...this.#gates.map(({ weights }) => weights)];
    this.#input = new StreamInput(context, spec.norm, readers);
    this.#mixed = scratch.mixed.formsFor([output]);
    this.#add = new ResidualProduct(context, output, {});
    this.#conv = convolutionOf(context, spec);
    this.#rule = ruleOf(context, spec, scratch.linear);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, { gate: projected, q: z } = this.#scratch;
    const { rule, shape: { heads, valueDim }, outputNorm: { eps, length } } = this.#spec;
    const [first, second] = this.#gates;
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
      first.weights,
      undefined,
      first.region,
    );
    if (second !== undefined) kernels.matmul(x, tokens, false, second.weights, undefined, second.region);
    kernels.shortConv(this.#conv);
    kernels.deltaRule(this.#rule);
    const { y } = this.#rule.params;
    const order = rule === "delta" ? "normThenGate" : "gateThenNorm";
    kernels.gatedNorm(y, z, this.#norm, heads * valueDim, length, tokens, eps, order, this.#mixed);
    this.#add.forward(this.#mixed, tokens);
  }
}

/** A matrix, and where its product goes. */
interface GateProduct {
  readonly weights: Weights;
  readonly region: Region;
}

function gateProducts(
  { tensors }: LayerContext,
  { gates }: LinearAttentionSpec,
  { alpha, beta }: LinearScratch,
): GateProduct[] {
  if ("betaAlpha" in gates) return [{ weights: tensors.matrix(gates.betaAlpha), region: beta }];
  const products = [{ weights: tensors.matrix(gates.alpha), region: alpha }];
  if (gates.beta !== undefined) products.push({ weights: tensors.matrix(gates.beta), region: beta });
  return products;
}

/** Of what was projected, into another region. */
function convolutionOf(
  context: LayerContext,
  { rule, shape, stateOffset, conv, convBias }: LinearAttentionSpec,
): ShortConvCall {
  const { scratch, tensors } = context;
  const { channels, taps, keyHeads, keyDim } = shape;
  const norm = {
    head: keyDim,
    queryHeads: keyHeads,
    keyHeads,
    scale: 1 / Math.sqrt(keyDim),
    eps: LENGTH_EPS,
  };
  return new ShortConvCall({
    state: { states: statesOf(context), offset: stateOffset },
    x: scratch.gate,
    stride: channels,
    inputsAt: 0,
    weights: tensors.vector(conv),
    bias: tensors.optionalVector(convBias),
    channels,
    taps,
    silu: true,
    norm: rule === "delta" ? norm : undefined,
    y: f32At(scratch.up),
  });
}

/** Of what was convolved, into the region of what was projected. */
function ruleOf(
  context: LayerContext,
  { rule, shape, stateOffset, gates, decay, dt, skip, sharing }: LinearAttentionSpec,
  { alpha, beta }: LinearScratch,
): DeltaRuleCall {
  const { scratch, tensors } = context;
  const { channels, heads, keyHeads, keyDim, valueDim } = shape;
  const isJoint = "betaAlpha" in gates;
  const group = isJoint ? heads / keyHeads : heads;
  const keys = keyHeads * keyDim, values = heads * valueDim;
  const [queriesAt, keysAt, valuesAt] = rule === "delta" ? [0, keys, 2 * keys] : [values + keys, values, 0];
  return new DeltaRuleCall({
    state: { states: statesOf(context), offset: stateOffset + inputsBytes(shape) },
    x: scratch.up,
    row: channels,
    queriesAt,
    keysAt,
    valuesAt,
    alpha: isJoint ? { region: beta, at: group } : { region: alpha, at: 0 },
    beta: rule === "delta" ? { region: beta, at: 0 } : undefined,
    gateRow: isJoint ? 2 * heads : heads,
    gateGroup: group,
    decay: tensors.vector(decay),
    dt: tensors.vector(dt),
    skip: tensors.optionalVector(skip),
    heads,
    keyHeads,
    keyDim,
    valueDim,
    sharing,
    rule,
    y: scratch.gate,
  });
}
