import type { Kernels, Region, Vector } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";

/**
 * y = x / sqrt(mean(x²) + eps) · w, written in the forms that the next matmul reads.
 * x, y: [tokens, hidden]; w: [hidden]; eps unitless. Zhang & Sennrich 2019.
 */
export class RmsNorm {
  readonly #kernels: Kernels;
  readonly #weight: Vector;
  readonly #eps: number;

  constructor(kernels: Kernels, weight: Vector, eps: number) {
    this.#kernels = kernels;
    this.#weight = weight;
    this.#eps = eps;
  }

  forward(x: Region, tokens: number, y: Activation): void {
    this.#kernels.rmsNorm(x, this.#weight, tokens, this.#eps, y);
  }
}
