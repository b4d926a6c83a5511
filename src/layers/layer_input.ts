import { f32At, type Kernels, type Region, type Weights } from "../ffi/context.ts";
import { activationForms } from "../ffi/symbols.ts";
import type { Activation } from "./activation.ts";
import type { LayerContext } from "./layer.ts";
import { Norm } from "./norm.ts";
import type { NormSpec } from "./tensors.ts";

/** What a part of a layer multiplies: [tokens, hidden]. */
export interface LayerInput {
  readonly activation: Activation;
  /** Makes it of the residual stream. */
  forward(tokens: number): void;
}

/**
 * The residual stream after its norm, or as it is where the model has none there. Written in the forms that the readers' formats
 * want.
 */
export class StreamInput implements LayerInput {
  readonly activation: Activation;
  readonly #kernels: Kernels;
  readonly #x: Region;
  readonly #k: number;
  readonly #norm: Norm | undefined;
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
    this.#norm = norm && new Norm(kernels, tensors, norm, this.#k);
    const normed = scratch.normed.formsFor(readers);
    this.#isStream = norm === undefined && normed.forms === activationForms.f32;
    this.activation = this.#isStream ? f32At(scratch.x) : normed;
  }

  forward(tokens: number): void {
    if (this.#isStream) return;
    if (this.#norm !== undefined) this.#norm.forward(this.#x, tokens, this.activation);
    else this.#kernels.quantizeActivations(this.#x, this.#k, tokens, this.activation);
  }
}

/** An input that somebody before has made. */
export function madeBefore({ activation }: LayerInput): LayerInput {
  return { activation, forward: () => {} };
}
