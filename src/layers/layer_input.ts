import { f32At, type Kernels, type Region, type Vector, type Weights } from "../ffi/context.ts";
import { activationForms } from "../ffi/symbols.ts";
import type { Activation } from "./activation.ts";
import type { LayerContext } from "./layer.ts";
import type { NormSpec } from "./tensors.ts";

/**
 * What a part of a layer multiplies: the residual stream after its norm, or as it is where the model has none there. Written in the
 * forms that the readers' formats want. [tokens, hidden]
 */
export class LayerInput {
  readonly activation: Activation;
  readonly #kernels: Kernels;
  readonly #x: Region;
  readonly #k: number;
  readonly #norm: Vector | undefined;
  readonly #eps: number;
  /** Whether the products read the stream itself: nothing is to be written. */
  readonly #isStream: boolean;

  constructor(
    { kernels, scratch, tensors }: LayerContext,
    norm: NormSpec | undefined,
    readers: readonly Weights[],
  ) {
    this.#kernels = kernels;
    this.#x = scratch.x;
    this.#k = readers[0].k;
    this.#norm = tensors.optionalVector(norm?.weight);
    this.#eps = norm?.eps ?? 0;
    const normed = scratch.normed.formsFor(readers);
    this.#isStream = norm === undefined && normed.forms === activationForms.f32;
    this.activation = this.#isStream ? f32At(scratch.x) : normed;
  }

  forward(tokens: number): void {
    if (this.#isStream) return;
    if (this.#norm !== undefined) {
      this.#kernels.rmsNorm(this.#x, this.#norm, tokens, this.#eps, this.activation);
    } else this.#kernels.quantizeActivations(this.#x, this.#k, tokens, this.activation);
  }
}
