import type { Kernels, UngatedActivation, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { Scratch } from "./scratch.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the feed-forward of a layer without a gate is. Matrices are [rows, k]. */
export interface UngatedFeedForwardSpec {
  activation: UngatedActivation;
  /** Of the residual stream before the product: [hidden]. Default: it reads the stream as it is. */
  norm?: NormSpec;
  /** [ffn, hidden] */
  up: MatrixSpec;
  /** [hidden, ffn] */
  down: MatrixSpec;
  /** Added to the products: [ffn] and [hidden]. */
  biases?: { up: VectorSpec; down: VectorSpec };
}

/** Plans the feed-forward of a layer. */
export function ungatedFeedForward(spec: UngatedFeedForwardSpec): LayerPlan {
  return { create: (context) => new UngatedFeedForward(context, spec) };
}

/** x += W_down · f(W_up · norm(x) + b_up) + b_down, f the activation. Three calls. Vaswani et al. 2017. */
export class UngatedFeedForward implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #input: LayerInput;
  readonly #activated: Activation;
  readonly #up: Weights;
  readonly #upBias: Vector | undefined;
  readonly #activation: UngatedActivation;
  readonly #add: ResidualProduct;

  /** `input`: what it reads, in place of the normed stream. */
  constructor(context: LayerContext, spec: UngatedFeedForwardSpec, input?: LayerInput) {
    const { kernels, scratch, tensors } = context;
    const { biases } = spec;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#up = tensors.matrix(spec.up);
    this.#upBias = tensors.optionalVector(biases?.up);
    this.#activation = spec.activation;
    const down = tensors.matrix(spec.down);
    this.#input = input ?? new StreamInput(context, spec.norm, [this.#up]);
    this.#activated = scratch.gated.formsFor([down]);
    this.#add = new ResidualProduct(context, down, { bias: biases?.down });
  }

  forward(tokens: number): void {
    this.read(tokens);
    this.add(tokens);
  }

  read(tokens: number): void {
    const { up } = this.#scratch;
    this.#input.forward(tokens);
    this.#kernels.upActivate(
      this.#input.activation,
      tokens,
      this.#up,
      this.#upBias,
      up,
      this.#activation,
      this.#activated,
    );
  }

  add(tokens: number): void {
    this.#add.forward(this.#activated, tokens);
  }
}
