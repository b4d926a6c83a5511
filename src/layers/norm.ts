import type { Kernels, Region, Vector } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { NormSpec, TensorSource } from "./tensors.ts";

/**
 * A norm of rows, written in the forms that the next matmul reads: RMSNorm, y = x / √(mean(x²) + eps) · w, or LayerNorm,
 * y = (x − mean(x)) / √(var(x) + eps) · w + b. x, y: [tokens, k]; w, b: [k]. Zhang & Sennrich 2019; Ba et al. 2016.
 */
export class Norm {
  readonly #kernels: Kernels;
  readonly #isLayerNorm: boolean;
  readonly #k: number;
  readonly #weight: Vector | undefined;
  readonly #bias: Vector | undefined;
  readonly #eps: number;

  constructor(kernels: Kernels, tensors: TensorSource, spec: NormSpec, k: number) {
    this.#kernels = kernels;
    this.#isLayerNorm = spec.kind === "layer";
    this.#k = k;
    this.#weight = tensors.optionalVector(spec.weight);
    this.#bias = spec.kind === "layer" ? tensors.optionalVector(spec.bias) : undefined;
    this.#eps = spec.eps;
  }

  forward(x: Region, tokens: number, y: Activation): void {
    if (this.#isLayerNorm) {
      this.#kernels.layerNorm(x, this.#weight, this.#bias, this.#k, tokens, this.#eps, y);
    } else this.#kernels.rmsNorm(x, this.#weight!, tokens, this.#eps, y);
  }
}
