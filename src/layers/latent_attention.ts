import { type Arena, f32At, HeadProductsCall, type Kernels, LatentSplitCall } from "../ffi/context.ts";
import type { Vector, Weights } from "../ffi/context.ts";
import { activationForms } from "../ffi/symbols.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { RopeTable } from "./rope_table.ts";
import type { LatentScratch, Scratch } from "./scratch.ts";
import type { LatentShape, LayerShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, RmsNormSpec } from "./tensors.ts";

/** What the latent attention of one layer is. Matrices are [rows, k], those of heads [heads, rows, k]. */
export interface LatentAttentionSpec {
  /** Sizes as the KV cache and RoPE have them, and those of heads. */
  shape: LayerShape & { latent: LatentShape };
  /** Which layer of the KV cache is its own. */
  kvLayer: number;
  /** Multiplies the products of queries and keys. */
  scale: number;
  /** Of the residual stream: [hidden]. */
  norm: NormSpec;
  /** Queries: [heads · (plain + turned), hidden], or with a latent vector of their own [.., queryRank]. */
  q: MatrixSpec;
  /** That vector, [queryRank, hidden], and its norm. */
  queryLatent?: { matrix: MatrixSpec; norm: RmsNormSpec };
  /** The latent vector and what of keys is turned: [rank + turned, hidden]. */
  kv: MatrixSpec;
  /** Of the latent vector: [rank]. */
  kvNorm: RmsNormSpec;
  /** What makes a head's query one of latent vectors: [rank, plain] of each. */
  keys: MatrixSpec;
  /** What makes a value of a latent vector: [valueDim, rank] of each. */
  values: MatrixSpec;
  /** [hidden, heads · valueDim] */
  output: MatrixSpec;
}

/** Plans the latent attention of a layer. */
export function latentAttention(spec: LatentAttentionSpec): LayerPlan {
  return { create: (context) => new LatentAttention(context, spec) };
}

/**
 * x += W_o · concat over heads h of V_h · Σₜ softmaxₜ(scale · (q_h · K_h · cₜ + rope(p_h) · rope(rₜ))) cₜ, with the latent vector c and what is turned r
 * of each token, and q_h, p_h of the query. K_h is multiplied with queries and V_h with what attention gives, so that the cache has c and r alone
 * and all heads read the same. This one form serves prefill, batches and decode. DeepSeek-AI 2024 (DeepSeek-V2).
 */
class LatentAttention implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #regions: LatentScratch;
  readonly #arena: Arena;
  readonly #spec: LatentAttentionSpec;
  readonly #rope: RopeTable | undefined;
  readonly #input: LayerInput;
  readonly #q: Weights;
  readonly #kv: Weights;
  readonly #queryLatent: { matrix: Weights; norm: Vector; eps: number; normed: Activation } | undefined;
  readonly #split: LatentSplitCall;
  readonly #ofKeys: HeadProductsCall;
  readonly #ofValues: HeadProductsCall;
  readonly #mixed: Activation;
  readonly #add: ResidualProduct;

  constructor(context: LayerContext, spec: LatentAttentionSpec) {
    const { kernels, scratch, ropes, arena, tensors } = context;
    const regions = scratch.latent;
    if (regions === undefined) {
      throw new Error("Cannot make latent attention: the scratch has no regions for it");
    }
    const { heads, latent: { rank, plain, turned, valueDim } } = spec.shape;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#regions = regions;
    this.#arena = arena;
    this.#spec = spec;
    this.#rope = ropes.table(spec.shape.rope);
    this.#q = tensors.matrix(spec.q);
    this.#kv = tensors.matrix(spec.kv);
    this.#queryLatent = spec.queryLatent && {
      matrix: tensors.matrix(spec.queryLatent.matrix),
      norm: tensors.vector(spec.queryLatent.norm.weight),
      eps: spec.queryLatent.norm.eps,
      normed: regions.queryNormed.formsFor([this.#q]),
    };
    const keys = tensors.matrix(spec.keys), values = tensors.matrix(spec.values);
    const output = tensors.matrix(spec.output);
    this.#input = new StreamInput(context, spec.norm, [this.#queryLatent?.matrix ?? this.#q, this.#kv]);
    const { kv, queries, attended } = regions;
    this.#split = new LatentSplitCall({
      kv,
      norm: tensors.vector(spec.kvNorm.weight),
      eps: spec.kvNorm.eps,
      keys: scratch.k,
      q: queries,
      queries: scratch.q,
      heads,
      latent: rank,
      turned,
      plain,
    });
    this.#ofKeys = new HeadProductsCall({
      x: { region: queries, width: plain + turned, first: 0 },
      heads,
      weights: keys,
      columns: regions.plain.formsFor([keys]),
      y: { region: scratch.q, width: turned + rank, first: turned },
    });
    // Queries are used up by then.
    this.#ofValues = new HeadProductsCall({
      x: { region: attended, width: rank, first: 0 },
      heads,
      weights: values,
      columns: regions.latents.formsFor([values]),
      y: { region: queries, width: valueDim, first: 0 },
    });
    const mixed = scratch.mixed.formsFor([output]);
    this.#mixed = mixed.forms === activationForms.f32 ? f32At(queries) : mixed;
    this.#add = new ResidualProduct(context, output, {});
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, arena = this.#arena, mixed = this.#mixed;
    const { queries, attended } = this.#regions;
    const { q, k, v } = this.#scratch;
    const { shape: { heads, rope: { pairing }, latent }, kvLayer, scale } = this.#spec;
    this.#project(tokens);
    kernels.latentSplit(this.#split, tokens);
    kernels.headProducts(this.#ofKeys, tokens);
    kernels.ropeAppend(this.#rope?.current, arena, kvLayer, q, k, v, heads, undefined, undefined, pairing, 0);
    kernels.attention(arena, kvLayer, q, heads, scale, 0, f32At(attended));
    kernels.headProducts(this.#ofValues, tokens);
    if (mixed.region !== queries) {
      kernels.quantizeActivations(queries, heads * latent.valueDim, tokens, mixed);
    }
    this.#add.forward(mixed, tokens);
  }

  /** Queries, the latent vector and what of keys is turned. */
  #project(tokens: number): void {
    const kernels = this.#kernels, latent = this.#queryLatent;
    const { kv, queries, queryLatent } = this.#regions;
    this.#input.forward(tokens);
    const first = latent === undefined ? [this.#q, queries] as const : [latent.matrix, queryLatent] as const;
    kernels.matmul(
      this.#input.activation,
      tokens,
      false,
      first[0],
      undefined,
      first[1],
      this.#kv,
      undefined,
      kv,
    );
    if (latent === undefined) return;
    kernels.rmsNorm(queryLatent, latent.norm, tokens, latent.eps, latent.normed);
    kernels.matmul(latent.normed, tokens, false, this.#q, undefined, queries);
  }
}
