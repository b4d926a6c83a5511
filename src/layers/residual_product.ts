import type { Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Scratch } from "./scratch.ts";
import type { NormSpec, TensorSource } from "./tensors.ts";

/** How a part of a layer ends: x += W · y, or x += norm(W · y). y: [tokens, columns of W]; x: [tokens, hidden]. */
export class ResidualProduct {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #weights: Weights;
  readonly #norm: Vector | undefined;
  readonly #eps: number;

  constructor(
    kernels: Kernels,
    scratch: Scratch,
    tensors: TensorSource,
    weights: Weights,
    norm?: NormSpec,
  ) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#weights = weights;
    this.#norm = tensors.optionalVector(norm?.weight);
    this.#eps = norm?.eps ?? 0;
  }

  forward(y: Activation, tokens: number): void {
    const kernels = this.#kernels, { x, branch } = this.#scratch;
    if (this.#norm === undefined) {
      kernels.matmul(y, tokens, true, this.#weights, undefined, x);
      return;
    }
    kernels.matmul(y, tokens, false, this.#weights, undefined, branch);
    kernels.rmsNormAdd(branch, this.#norm, tokens, this.#eps, x);
  }
}
