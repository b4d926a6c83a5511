import type { Arena, Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import { RmsNorm } from "./rms_norm.ts";
import type { RopeTable, RopeTables } from "./rope_table.ts";
import type { Scratch } from "./scratch.ts";
import type { LayerShape } from "./shape.ts";

/** What the attention of one layer is made of. Matrices are [rows, k]. */
export interface AttentionWeights {
  /** [hidden] */
  norm: Vector;
  /** [heads · headDim, hidden] */
  q: Weights;
  /** [kvHeads · headDim, hidden] */
  k: Weights;
  /** [kvHeads · headDim, hidden] */
  v: Weights;
  /** [hidden, heads · headDim] */
  output: Weights;
  /** [heads · headDim] */
  qBias?: Vector;
  /** [kvHeads · headDim] */
  kBias?: Vector;
  /** [kvHeads · headDim] */
  vBias?: Vector;
  /** RMSNorm of each head's query before RoPE: [headDim]. */
  qNorm?: Vector;
  /** RMSNorm of each head's key before RoPE: [headDim]. */
  kNorm?: Vector;
}

export interface AttentionShape extends LayerShape {
  normEps: number;
}

/** What every attention layer of a model shares. */
export interface AttentionContext {
  kernels: Kernels;
  scratch: Scratch;
  ropes: RopeTables;
  /** Divisors of the rotary frequencies. */
  freqFactors?: Vector;
  arena: Arena;
}

/**
 * x += W_o · attention(rope(W_q · norm(x)), rope(W_k · norm(x)), W_v · norm(x)), causal, grouped-query.
 * Works on the tokens of the batch set last; x: [tokens, hidden] f32 in the scratch. Five calls.
 * Vaswani et al. 2017; Su et al. 2021 (RoPE); Ainslie et al. 2023 (grouped queries).
 */
export class Attention {
  readonly #context: AttentionContext;
  readonly #layer: number;
  readonly #shape: AttentionShape;
  readonly #weights: AttentionWeights;
  readonly #rope: RopeTable;
  readonly #norm: RmsNorm;
  readonly #normed: Activation;
  readonly #mixed: Activation;
  readonly #scale: number;

  constructor(context: AttentionContext, layer: number, shape: AttentionShape, weights: AttentionWeights) {
    const { kernels, scratch } = context;
    this.#context = context;
    this.#layer = layer;
    this.#shape = shape;
    this.#weights = weights;
    this.#rope = context.ropes.table(shape.rope, context.freqFactors);
    this.#norm = new RmsNorm(kernels, weights.norm, shape.normEps);
    this.#normed = scratch.normed.formsFor([weights.q, weights.k, weights.v]);
    this.#mixed = scratch.mixed.formsFor([weights.output]);
    this.#scale = 1 / Math.sqrt(shape.keyDim);
  }

  forward(tokens: number): void {
    const { kernels, scratch, arena } = this.#context;
    const { heads, normEps, rope: { pairing } } = this.#shape;
    const { q, k, v } = scratch;
    const w = this.#weights, normed = this.#normed, mixed = this.#mixed;
    this.#norm.forward(scratch.x, tokens, normed);
    kernels.matmul(normed, tokens, false, w.q, w.qBias, q, w.k, w.kBias, k, w.v, w.vBias, v);
    kernels.ropeAppend(
      this.#rope.current,
      arena,
      this.#layer,
      q,
      k,
      v,
      heads,
      w.qNorm,
      w.kNorm,
      pairing,
      normEps,
    );
    kernels.attention(arena, this.#layer, q, heads, this.#scale, mixed.f32, mixed.q32, mixed.q256);
    kernels.matmul(mixed, tokens, true, w.output, undefined, scratch.x);
  }
}
