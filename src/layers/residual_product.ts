import type { Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { LayerContext } from "./layer.ts";
import type { Scratch } from "./scratch.ts";
import type { RmsNormSpec, VectorSpec } from "./tensors.ts";

/** What is done to the product before it is added. Default: nothing. */
export interface ResidualOptions {
  /** [hidden] */
  bias?: VectorSpec;
  norm?: RmsNormSpec;
}

/** How a part of a layer ends: x += W · y + b, or x += norm(W · y + b). y: [tokens, columns of W]; x: [tokens, hidden]. */
export class ResidualProduct {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #weights: Weights;
  readonly #bias: Vector | undefined;
  readonly #norm: Vector | undefined;
  readonly #eps: number;

  constructor(
    { kernels, scratch, tensors }: LayerContext,
    weights: Weights,
    { bias, norm }: ResidualOptions,
  ) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#weights = weights;
    this.#bias = tensors.optionalVector(bias);
    this.#norm = tensors.optionalVector(norm?.weight);
    this.#eps = norm?.eps ?? 0;
  }

  forward(y: Activation, tokens: number): void {
    const kernels = this.#kernels, { x, branch } = this.#scratch;
    if (this.#norm === undefined) {
      kernels.matmul(y, tokens, true, this.#weights, this.#bias, x);
      return;
    }
    kernels.matmul(y, tokens, false, this.#weights, this.#bias, branch);
    kernels.rmsNormAdd(branch, this.#norm, tokens, this.#eps, x);
  }
}
