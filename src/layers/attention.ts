import { type Arena, f32At, type Kernels, type Vector, type Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { FreqFactors, RopeTable } from "./rope_table.ts";
import type { Scratch } from "./scratch.ts";
import type { LayerShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, RmsNormSpec, VectorSpec } from "./tensors.ts";

/** What the attention of one layer is. Matrices are [rows, k]. */
export interface AttentionSpec {
  /** Sizes, RoPE and window. */
  shape: LayerShape;
  /** Which layer of the KV cache is its own. */
  kvLayer: number;
  /** Multiplies the products of queries and keys. */
  scale: number;
  /** Of the residual stream before the projections: [hidden]. Default: they read the stream as it is. */
  norm?: NormSpec;
  /** [heads · keyDim, hidden]; where the output is gated twice as many rows, each head's gate behind its query. */
  q: MatrixSpec;
  /** [kvHeads · keyDim, hidden] */
  k: MatrixSpec;
  /** [kvHeads · valueDim, hidden] */
  v: MatrixSpec;
  /** [hidden, heads · valueDim] */
  output: MatrixSpec;
  /** Divisors of the rotary frequencies: [rotated elements / 2]. */
  freqFactors?: FreqFactors;
  /** Added to queries, keys and values: a row of their matrices each. */
  biases?: { q: VectorSpec; k: VectorSpec; v: VectorSpec };
  /** Added to the output: [hidden]. */
  outputBias?: VectorSpec;
  /** Bound of queries, keys and values before anything else is done to them. */
  clamp?: number;
  qkNorm?: QueryKeyNorm;
  /** Queries are multiplied by 1 + by · ln(⌊position / length⌋ + 1). */
  sharpening?: Sharpening;
  /** Scores become softcap · tanh(score / softcap). */
  softcap?: number;
  /** A score of each head that takes part in its softmax and has no value: [heads]. */
  sinks?: VectorSpec;
  /** Of the output before it is added to the residual stream: [hidden]. */
  postNorm?: RmsNormSpec;
}

/** A norm of queries and keys where the file has its weights. */
export interface QueryKeyNorm {
  /** Of heads, not of rows, there may be LayerNorms, too, which have no biases. Default: RMSNorm. */
  kind?: "rms" | "layer";
  /** [keyDim], for each head [heads, keyDim], or over all heads [heads · keyDim] */
  q: VectorSpec;
  /** [keyDim], for each head [kvHeads, keyDim], or over all heads [kvHeads · keyDim] */
  k: VectorSpec;
  eps: number;
  /** Each head before RoPE, each head after it, or all heads as one before it. */
  of: "heads" | "turned heads" | "rows";
}

/** Attention that grows sharper with the position. */
export interface Sharpening {
  by: number;
  /** In tokens. */
  length: number;
}

/** Plans the attention of a layer. */
export function attention(spec: AttentionSpec): LayerPlan {
  return { create: (context) => new Attention(context, spec) };
}

/**
 * x += W_o · attention(rope(W_q · norm(x)), rope(W_k · norm(x)), W_v · norm(x)), causal, grouped-query; a norm of what is added
 * where the model has one, and a gate σ(W_g · norm(x)) of what W_o multiplies. Five calls, six with that norm, two more with a norm
 * over all heads or a gate.
 * Vaswani et al. 2017; Su et al. 2021 (RoPE); Ainslie et al. 2023 (grouped queries).
 */
export class Attention implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #arena: Arena;
  readonly #spec: AttentionSpec;
  readonly #rope: RopeTable | undefined;
  readonly #input: LayerInput;
  readonly #mixed: Activation;
  readonly #q: Weights;
  readonly #k: Weights;
  readonly #v: Weights;
  readonly #qBias: Vector | undefined;
  readonly #kBias: Vector | undefined;
  readonly #vBias: Vector | undefined;
  readonly #qNorm: Vector | undefined;
  readonly #kNorm: Vector | undefined;
  readonly #sinks: Vector | undefined;
  readonly #add: ResidualProduct;

  /** `input`: what it reads, in place of the normed stream. */
  constructor(context: LayerContext, spec: AttentionSpec, input?: LayerInput) {
    const { kernels, scratch, ropes, arena, tensors } = context;
    const { biases, qkNorm } = spec;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#arena = arena;
    this.#spec = spec;
    this.#rope = ropes.table(spec.shape.rope, tensors.optionalVector(ropes.choose(spec.freqFactors)));
    this.#q = tensors.matrix(spec.q);
    this.#k = tensors.matrix(spec.k);
    this.#v = tensors.matrix(spec.v);
    const output = tensors.matrix(spec.output);
    this.#qBias = tensors.optionalVector(biases?.q);
    this.#kBias = tensors.optionalVector(biases?.k);
    this.#vBias = tensors.optionalVector(biases?.v);
    this.#qNorm = tensors.optionalVector(qkNorm?.q);
    this.#kNorm = tensors.optionalVector(qkNorm?.k);
    this.#sinks = tensors.optionalVector(spec.sinks);
    this.#input = input ?? new StreamInput(context, spec.norm, [this.#q, this.#k, this.#v]);
    this.#mixed = scratch.mixed.formsFor([output]);
    this.#add = new ResidualProduct(context, output, { bias: spec.outputBias, norm: spec.postNorm });
  }

  forward(tokens: number): void {
    this.read(tokens);
    this.add(tokens);
  }

  /** Queries, keys and values of the stream, or of what it was given. */
  read(tokens: number): void {
    const { q, k, v, gate, up } = this.#scratch;
    const { heads, keyDim, isGated } = this.#spec.shape;
    this.#input.forward(tokens);
    this.#kernels.matmul(
      this.#input.activation,
      tokens,
      false,
      this.#q,
      this.#qBias,
      isGated ? gate : q,
      this.#k,
      this.#kBias,
      k,
      this.#v,
      this.#vBias,
      v,
    );
    if (isGated) this.#kernels.splitHeads(gate, heads, keyDim, tokens, q, up);
  }

  /** Attention of what was read, added to the stream. */
  add(tokens: number): void {
    const kernels = this.#kernels, arena = this.#arena, mixed = this.#mixed;
    const { q, k, v, gate, up } = this.#scratch;
    const { shape: { heads, valueDim, isGated, rope: { pairing } }, kvLayer, scale, softcap = 0, clamp } =
      this.#spec;
    const { qkNorm, sharpening } = this.#spec;
    const rope = this.#rope?.current, eps = qkNorm?.eps ?? 0;
    let qNorm = this.#qNorm, kNorm = this.#kNorm;
    if (qkNorm?.of === "rows") {
      kernels.rmsNorm(q, qNorm!, tokens, eps, f32At(q));
      kernels.rmsNorm(k, kNorm!, tokens, eps, f32At(k));
      qNorm = kNorm = undefined;
    }
    const order = qkNorm?.of === "turned heads" ? "after" : "before";
    const { by = 0, length = 1 } = sharpening ?? {};
    kernels.ropeAppend(
      rope,
      arena,
      kvLayer,
      q,
      k,
      v,
      heads,
      qNorm,
      kNorm,
      pairing,
      eps,
      order,
      by,
      length,
      qkNorm?.kind,
      clamp,
    );
    const y = isGated ? f32At(gate) : mixed;
    kernels.attention(arena, kvLayer, q, heads, scale, softcap, y, this.#sinks);
    if (isGated) kernels.gated(up, gate, heads * valueDim, tokens, "sigmoid", mixed);
    this.#add.forward(mixed, tokens);
  }
}
