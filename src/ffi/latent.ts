/** Latent attention, as `kumi_latent_split` and `kumi_head_products` take it. @module */

import { encodeCall } from "./call.ts";
import type { Vector, Weights } from "./objects.ts";
import type { Activation, Region } from "./params.ts";
import { structs } from "./symbols.ts";

/** What projections give, taken apart: kernels/src/ops/latent_split.zig has the order. */
export interface LatentSplitParams {
  /** [tokens, latent + turned] f32 */
  readonly kv: Region;
  /** [latent] */
  readonly norm: Vector;
  readonly eps: number;
  /** [tokens, turned + latent] f32 */
  readonly keys: Region;
  /** [tokens, heads, plain + turned] f32 */
  readonly q: Region;
  /** [tokens, heads, turned + latent] f32; only the turned part is written. */
  readonly queries: Region;
  readonly heads: number;
  readonly latent: number;
  readonly turned: number;
  readonly plain: number;
}

/** y[token, head] = W[head] · x[token, head], of parts of rows. */
export interface HeadProductsParams {
  /** [tokens, heads, width] f32, and where in each head the columns begin. */
  readonly x: { readonly region: Region; readonly width: number; readonly first: number };
  readonly heads: number;
  /** [heads · rows, k], rows a multiple of 16. */
  readonly weights: Weights;
  /** [heads · tokens, k] in the forms that the weights read. */
  readonly columns: Activation;
  /** [tokens, heads, width] f32, and where in each head the products begin. */
  readonly y: { readonly region: Region; readonly width: number; readonly first: number };
}

/** A call of {@linkcode Kernels.latentSplit}, made once for a layer. */
export class LatentSplitCall {
  readonly params: LatentSplitParams;
  readonly encoded: Uint8Array<ArrayBuffer>;

  constructor(params: LatentSplitParams) {
    this.params = params;
    const { norm, eps, ...words } = params;
    this.encoded = encodeCall(structs.LatentSplitCall, { ...words, norm: norm.id }, { eps });
  }
}

/** A call of {@linkcode Kernels.headProducts}, made once for a layer. */
export class HeadProductsCall {
  readonly params: HeadProductsParams;
  readonly encoded: Uint8Array<ArrayBuffer>;

  constructor(params: HeadProductsParams) {
    this.params = params;
    const { x, heads, weights, columns, y } = params;
    this.encoded = encodeCall(structs.HeadProductsCall, {
      x: x.region,
      xWidth: x.width,
      xFirst: x.first,
      heads,
      weights: weights.id,
      columns: columns.region,
      columnsForms: columns.forms,
      y: y.region,
      yWidth: y.width,
      yFirst: y.first,
    }, {});
  }
}
