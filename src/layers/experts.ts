import { ExpertsCall, type Kernels, type Vector, type Weights } from "../ffi/context.ts";
import type { ExpertMatrices } from "../ffi/experts.ts";
import type { Activation } from "./activation.ts";
import type { FeedForwardSpec } from "./feed_forward.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import type { ExpertScratch, Scratch } from "./scratch.ts";
import type { ExpertsShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the mixture of experts of one layer is. Matrices are [rows, k], those of experts [experts, rows, k]. */
export interface ExpertsSpec {
  shape: ExpertsShape;
  /** The function of the gates. */
  activation: FeedForwardSpec["activation"];
  /** Of the residual stream before the products: [hidden]. Default: they read the stream as it is. */
  norm?: NormSpec;
  /** [experts, hidden] */
  router: MatrixSpec;
  /** Added to the router's logits: [experts]. */
  routerBias?: VectorSpec;
  /** Added to what logits have become, where experts are chosen and nowhere else: [experts]. */
  choiceBias?: VectorSpec;
  /** [ffn, hidden] of each expert */
  gate: MatrixSpec;
  /** [ffn, hidden] of each expert */
  up: MatrixSpec;
  /** [hidden, ffn] of each expert */
  down: MatrixSpec;
  /** Added to the products: [experts, ffn], [experts, ffn] and [experts, hidden]. */
  biases?: { gate: VectorSpec; up: VectorSpec; down: VectorSpec };
  shared?: SharedExpertSpec;
}

/** An expert that every token takes. */
export interface SharedExpertSpec {
  /** [ffn, hidden] */
  gate: MatrixSpec;
  /** [ffn, hidden] */
  up: MatrixSpec;
  /** [hidden, ffn] */
  down: MatrixSpec;
  /** [1, hidden]: the sigmoid of its product multiplies what the expert gives. Default: nothing does. */
  factor?: MatrixSpec;
}

/** Plans the mixture of experts of a layer. */
export function experts(spec: ExpertsSpec): LayerPlan {
  return { create: (context) => new Experts(context, spec) };
}

/**
 * x += Σₑ wₑ · W_down,ₑ · (f(W_gate,ₑ · norm(x)) · (W_up,ₑ · norm(x))) over the experts e that a router chooses for each token, in
 * ascending order, and a shared one where the model has it. Three calls, five with a shared one. Shazeer et al. 2017; Jiang et al. 2024 (Mixtral);
 * DeepSeek-AI 2024 (shared experts).
 */
export class Experts implements Layer {
  readonly #kernels: Kernels;
  readonly #regions: ExpertScratch;
  readonly #input: LayerInput;
  readonly #router: Weights;
  readonly #routerBias: Vector | undefined;
  readonly #shared: SharedExpert | undefined;
  readonly #call: ExpertsCall;

  constructor(context: LayerContext, spec: ExpertsSpec) {
    const { kernels, scratch, tensors } = context;
    const regions = scratch.experts;
    if (regions === undefined) throw new Error("Cannot make experts: the scratch has no regions for them");
    this.#kernels = kernels;
    this.#regions = regions;
    this.#router = tensors.matrix(spec.router);
    this.#routerBias = tensors.optionalVector(spec.routerBias);
    const matrices = (weights: MatrixSpec, bias: VectorSpec | undefined): ExpertMatrices => ({
      weights: tensors.matrix(weights),
      bias: tensors.optionalVector(bias),
    });
    const gate = matrices(spec.gate, spec.biases?.gate), up = matrices(spec.up, spec.biases?.up);
    const down = matrices(spec.down, spec.biases?.down);
    this.#shared = spec.shared && new SharedExpert(context, spec.shared, spec.activation);
    const readers = [this.#router, gate.weights, up.weights, ...this.#shared?.readers ?? []];
    this.#input = new StreamInput(context, spec.norm, readers);
    this.#call = new ExpertsCall({
      routing: spec.shape,
      choiceBias: tensors.optionalVector(spec.choiceBias),
      gate,
      up,
      down,
      function: spec.activation,
      x: this.#input.activation,
      logits: regions.logits,
      shared: this.#shared && {
        region: scratch.branch,
        gate: spec.shared?.factor && regions.sharedGate,
      },
      chosen: regions.chosen,
      weights: regions.weights,
      gathered: regions.gathered.formsFor([gate.weights, up.weights]).region,
      gateProducts: regions.gate,
      upProducts: regions.up,
      gated: regions.gated.formsFor([down.weights]),
      products: regions.products,
      y: scratch.x,
    });
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, { logits, sharedGate } = this.#regions, shared = this.#shared;
    const x = this.#input.activation;
    this.#input.forward(tokens);
    kernels.matmul(
      x,
      tokens,
      false,
      this.#router,
      this.#routerBias,
      logits,
      shared?.factor,
      undefined,
      shared?.factor && sharedGate,
    );
    shared?.forward(x, tokens);
    kernels.experts(this.#call, tokens);
  }
}

/** The feed-forward of every token, whose result lies in the scratch's `branch`. */
class SharedExpert {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #gate: Weights;
  readonly #up: Weights;
  readonly #down: Weights;
  readonly #gated: Activation;
  readonly #activation: FeedForwardSpec["activation"];
  /** What its factor is a product with. */
  readonly factor: Weights | undefined;

  constructor(
    { kernels, scratch, tensors }: LayerContext,
    spec: SharedExpertSpec,
    activation: FeedForwardSpec["activation"],
  ) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#gate = tensors.matrix(spec.gate);
    this.#up = tensors.matrix(spec.up);
    this.#down = tensors.matrix(spec.down);
    this.#gated = scratch.gated.formsFor([this.#down]);
    this.#activation = activation;
    this.factor = tensors.optionalMatrix(spec.factor);
  }

  /** The matrices that multiply its input. */
  get readers(): Weights[] {
    return [this.#gate, this.#up, ...this.factor === undefined ? [] : [this.factor]];
  }

  forward(x: Activation, tokens: number): void {
    const kernels = this.#kernels, gated = this.#gated;
    const { gate, up, branch } = this.#scratch;
    kernels.gateUp(
      x,
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
    kernels.matmul(gated, tokens, false, this.#down, undefined, branch);
  }
}
