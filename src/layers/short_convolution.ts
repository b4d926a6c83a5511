import { type Kernels, ShortConvCall, type Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import { type Layer, type LayerContext, type LayerPlan, statesOf } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { Scratch } from "./scratch.ts";
import type { LinearShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the gated short convolution of one layer is. Matrices are [rows, k]. */
export interface ShortConvolutionSpec {
  shape: LinearShape;
  /** Where the layer has its part in each sequence's state, in bytes. */
  stateOffset: number;
  /** Of the residual stream before the projection: [hidden]. */
  norm?: NormSpec;
  /** Factors of inputs, factors of results, inputs: [3 · channels, hidden]. */
  input: MatrixSpec;
  /** [channels, taps] */
  conv: VectorSpec;
  /** [hidden, channels] */
  output: MatrixSpec;
}

/** Plans the gated short convolution of a layer. */
export function shortConvolution(spec: ShortConvolutionSpec): LayerPlan {
  return { create: (context) => new ShortConvolution(context, spec) };
}

/** x += W_o · (c · conv(b · u)), (b, c, u) = W_i · norm(x). Three calls and the norm's. Liquid AI 2025 (LFM2). */
export class ShortConvolution implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #projection: Weights;
  readonly #input: LayerInput;
  readonly #mixed: Activation;
  readonly #conv: ShortConvCall;
  readonly #add: ResidualProduct;

  constructor(context: LayerContext, spec: ShortConvolutionSpec) {
    const { kernels, scratch, tensors } = context;
    const { shape: { channels, taps }, stateOffset } = spec;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#projection = tensors.matrix(spec.input);
    const output = tensors.matrix(spec.output);
    this.#input = new StreamInput(context, spec.norm, [this.#projection]);
    this.#mixed = scratch.mixed.formsFor([output]);
    this.#add = new ResidualProduct(context, output, {});
    this.#conv = new ShortConvCall({
      state: { states: statesOf(context), offset: stateOffset },
      x: scratch.gate,
      stride: 3 * channels,
      beforeAt: 0,
      afterAt: channels,
      inputsAt: 2 * channels,
      weights: tensors.vector(spec.conv),
      channels,
      taps,
      silu: false,
      y: this.#mixed,
    });
  }

  forward(tokens: number): void {
    this.#input.forward(tokens);
    const x = this.#input.activation;
    this.#kernels.matmul(x, tokens, false, this.#projection, undefined, this.#scratch.gate);
    this.#kernels.shortConv(this.#conv);
    this.#add.forward(this.#mixed, tokens);
  }
}
