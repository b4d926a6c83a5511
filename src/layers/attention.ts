import type { Arena, Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { ResidualProduct } from "./residual_product.ts";
import { RmsNorm } from "./rms_norm.ts";
import type { RopeTable } from "./rope_table.ts";
import type { Scratch } from "./scratch.ts";
import type { LayerShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the attention of one layer is. Matrices are [rows, k]. */
export interface AttentionSpec {
  /** Sizes, RoPE and window. */
  shape: LayerShape;
  /** Which layer of the KV cache is its own. */
  kvLayer: number;
  /** Multiplies the products of queries and keys. */
  scale: number;
  /** Of the residual stream before the projections: [hidden]. */
  norm: NormSpec;
  /** [heads · keyDim, hidden] */
  q: MatrixSpec;
  /** [kvHeads · keyDim, hidden] */
  k: MatrixSpec;
  /** [kvHeads · valueDim, hidden] */
  v: MatrixSpec;
  /** [hidden, heads · valueDim] */
  output: MatrixSpec;
  /** Divisors of the rotary frequencies: [rotated elements / 2]. */
  freqFactors?: VectorSpec;
  /** Added to queries, keys and values: a row of their matrices each. */
  biases?: { q: VectorSpec; k: VectorSpec; v: VectorSpec };
  /** RMSNorm of each head's query and key before RoPE: [keyDim] each. */
  qkNorm?: { q: VectorSpec; k: VectorSpec; eps: number };
  /** Scores become softcap · tanh(score / softcap). */
  softcap?: number;
  /** A score of each head that takes part in its softmax and has no value: [heads]. */
  sinks?: VectorSpec;
  /** Of the output before it is added to the residual stream: [hidden]. */
  postNorm?: NormSpec;
}

/** Plans the attention of a layer. */
export function attention(spec: AttentionSpec): LayerPlan {
  return { lacking: lacking(spec), create: (context) => new Attention(context, spec) };
}

/** A kernel that comes to compute one of these takes its line away, and the layer passes the number on. */
function lacking({ sinks }: AttentionSpec): string | undefined {
  return sinks === undefined ? undefined : "attention sinks";
}

/**
 * x += W_o · attention(rope(W_q · norm(x)), rope(W_k · norm(x)), W_v · norm(x)), causal, grouped-query; a norm of what is added
 * where the model has one. Five calls, six with that norm.
 * Vaswani et al. 2017; Su et al. 2021 (RoPE); Ainslie et al. 2023 (grouped queries).
 */
class Attention implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #arena: Arena;
  readonly #spec: AttentionSpec;
  readonly #rope: RopeTable;
  readonly #norm: RmsNorm;
  readonly #normed: Activation;
  readonly #mixed: Activation;
  readonly #q: Weights;
  readonly #k: Weights;
  readonly #v: Weights;
  readonly #qBias: Vector | undefined;
  readonly #kBias: Vector | undefined;
  readonly #vBias: Vector | undefined;
  readonly #qNorm: Vector | undefined;
  readonly #kNorm: Vector | undefined;
  readonly #add: ResidualProduct;

  constructor({ kernels, scratch, ropes, arena, tensors }: LayerContext, spec: AttentionSpec) {
    const { biases, qkNorm } = spec;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#arena = arena;
    this.#spec = spec;
    this.#rope = ropes.table(spec.shape.rope, tensors.optionalVector(spec.freqFactors));
    this.#norm = new RmsNorm(kernels, tensors.vector(spec.norm.weight), spec.norm.eps);
    this.#q = tensors.matrix(spec.q);
    this.#k = tensors.matrix(spec.k);
    this.#v = tensors.matrix(spec.v);
    const output = tensors.matrix(spec.output);
    this.#qBias = tensors.optionalVector(biases?.q);
    this.#kBias = tensors.optionalVector(biases?.k);
    this.#vBias = tensors.optionalVector(biases?.v);
    this.#qNorm = tensors.optionalVector(qkNorm?.q);
    this.#kNorm = tensors.optionalVector(qkNorm?.k);
    this.#normed = scratch.normed.formsFor([this.#q, this.#k, this.#v]);
    this.#mixed = scratch.mixed.formsFor([output]);
    this.#add = new ResidualProduct(kernels, scratch, tensors, output, spec.postNorm);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, arena = this.#arena, normed = this.#normed, mixed = this.#mixed;
    const { x, q, k, v } = this.#scratch;
    const { shape: { heads, rope: { pairing } }, kvLayer, scale, softcap = 0, qkNorm } = this.#spec;
    const rope = this.#rope.current, qNorm = this.#qNorm, kNorm = this.#kNorm, eps = qkNorm?.eps ?? 0;
    this.#norm.forward(x, tokens, normed);
    kernels.matmul(
      normed,
      tokens,
      false,
      this.#q,
      this.#qBias,
      q,
      this.#k,
      this.#kBias,
      k,
      this.#v,
      this.#vBias,
      v,
    );
    kernels.ropeAppend(rope, arena, kvLayer, q, k, v, heads, qNorm, kNorm, pairing, eps);
    kernels.attention(arena, kvLayer, q, heads, scale, softcap, mixed);
    this.#add.forward(mixed, tokens);
  }
}
