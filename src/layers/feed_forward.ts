import type { GateFunction } from "../ffi/symbols.ts";
import type { Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { Scratch } from "./scratch.ts";
import type { MatrixSpec, NormSpec, RmsNormSpec, VectorSpec } from "./tensors.ts";

/** What the gated feed-forward of one layer is. Matrices are [rows, k]. */
export interface FeedForwardSpec {
  /** The function of the gate; "gelu" is the one with tanh. */
  activation: keyof typeof GateFunction;
  /** Of the residual stream before the products: [hidden]. Default: they read the stream as it is. */
  norm?: NormSpec;
  /** [ffn, hidden] */
  gate: MatrixSpec;
  /** [ffn, hidden] */
  up: MatrixSpec;
  /** [hidden, ffn] */
  down: MatrixSpec;
  /** Of the output before it is added to the residual stream: [hidden]. */
  postNorm?: RmsNormSpec;
  /** Added to the products where the file has them: [ffn], [ffn] and [hidden]. */
  biases?: { gate: VectorSpec; up: VectorSpec; down: VectorSpec };
}

/** Plans the feed-forward of a layer. */
export function feedForward(spec: FeedForwardSpec): LayerPlan {
  return { create: (context) => new FeedForward(context, spec) };
}

/**
 * x += W_down · (f(W_gate · norm(x)) · (W_up · norm(x))), f the activation; a norm of what is added where the model has one. Three
 * calls, four with that norm. Shazeer 2020 (SwiGLU, GEGLU).
 */
export class FeedForward implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #input: LayerInput;
  readonly #gated: Activation;
  readonly #gate: Weights;
  readonly #up: Weights;
  readonly #gateBias: Vector | undefined;
  readonly #upBias: Vector | undefined;
  readonly #activation: FeedForwardSpec["activation"];
  readonly #add: ResidualProduct;

  /** `input`: what it reads, in place of the normed stream. */
  constructor(context: LayerContext, spec: FeedForwardSpec, input?: LayerInput) {
    const { kernels, scratch, tensors } = context;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#gate = tensors.matrix(spec.gate);
    this.#up = tensors.matrix(spec.up);
    this.#activation = spec.activation;
    const down = tensors.matrix(spec.down);
    this.#gateBias = tensors.optionalVector(spec.biases?.gate);
    this.#upBias = tensors.optionalVector(spec.biases?.up);
    this.#input = input ?? new StreamInput(context, spec.norm, [this.#gate, this.#up]);
    this.#gated = scratch.gated.formsFor([down]);
    this.#add = new ResidualProduct(context, down, { bias: spec.biases?.down, norm: spec.postNorm });
  }

  forward(tokens: number): void {
    this.read(tokens);
    this.add(tokens);
  }

  /** What the second product reads. */
  read(tokens: number): void {
    const kernels = this.#kernels, gated = this.#gated;
    const { gate, up } = this.#scratch;
    this.#input.forward(tokens);
    kernels.gateUp(
      this.#input.activation,
      tokens,
      this.#gate,
      this.#gateBias,
      this.#up,
      this.#upBias,
      gate,
      up,
      this.#activation,
      gated,
    );
  }

  /** The second product, added to the stream. */
  add(tokens: number): void {
    this.#add.forward(this.#gated, tokens);
  }
}
