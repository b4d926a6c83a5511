import type { GateFunction } from "../ffi/symbols.ts";
import type { Kernels, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { LayerInput } from "./layer_input.ts";
import { ResidualProduct } from "./residual_product.ts";
import type { Scratch } from "./scratch.ts";
import type { MatrixSpec, NormSpec } from "./tensors.ts";

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
  postNorm?: NormSpec;
}

/** Plans the feed-forward of a layer. */
export function feedForward(spec: FeedForwardSpec): LayerPlan {
  return { create: (context) => new FeedForward(context, spec) };
}

/**
 * x += W_down · (f(W_gate · norm(x)) · (W_up · norm(x))), f the activation; a norm of what is added where the model has one. Three
 * calls, four with that norm. Shazeer 2020 (SwiGLU, GEGLU).
 */
class FeedForward implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #input: LayerInput;
  readonly #gated: Activation;
  readonly #gate: Weights;
  readonly #up: Weights;
  readonly #activation: FeedForwardSpec["activation"];
  readonly #add: ResidualProduct;

  constructor(context: LayerContext, spec: FeedForwardSpec) {
    const { kernels, scratch, tensors } = context;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#gate = tensors.matrix(spec.gate);
    this.#up = tensors.matrix(spec.up);
    this.#activation = spec.activation;
    const down = tensors.matrix(spec.down);
    this.#input = new LayerInput(context, spec.norm, [this.#gate, this.#up]);
    this.#gated = scratch.gated.formsFor([down]);
    this.#add = new ResidualProduct(kernels, scratch, tensors, down, spec.postNorm);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, gated = this.#gated;
    const { gate, up } = this.#scratch;
    this.#input.forward(tokens);
    kernels.gateUp(
      this.#input.activation,
      tokens,
      this.#gate,
      undefined,
      this.#up,
      undefined,
      gate,
      up,
      this.#activation,
      gated,
    );
    this.#add.forward(gated, tokens);
  }
}
