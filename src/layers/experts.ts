import {
  type ExpertFunction,
  ExpertsCall,
  gateFunction,
  type Kernels,
  plainFunction,
  type Region,
  type Vector,
  type Weights,
} from "../ffi/context.ts";
import type { ExpertMatrices } from "../ffi/experts.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { type LayerInput, StreamInput } from "./layer_input.ts";
import type { ExpertScratch, Scratch } from "./scratch.ts";
import type { ExpertsShape } from "./shape.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What the mixture of experts of one layer is. Matrices are [rows, k], those of experts [experts, rows, k]. */
export interface ExpertsSpec {
  shape: ExpertsShape;
  /** The function of the gates, or of the products of experts without. */
  activation: ExpertFunction;
  /** Of the residual stream before the products: [hidden]. Default: they read the stream as it is. */
  norm?: NormSpec;
  /** [experts, hidden]. Default: an {@linkcode earlyRouter} has been there. */
  router?: MatrixSpec;
  /** Added to the router's logits: [experts]. */
  routerBias?: VectorSpec;
  /** Added to what logits have become, where experts are chosen and nowhere else: [experts]. */
  choiceBias?: VectorSpec;
  /** [ffn, hidden] of each expert. Default: they have no gate, and neither has a shared one. */
  gate?: MatrixSpec;
  /** [ffn, hidden] of each expert */
  up: MatrixSpec;
  /** [hidden, ffn] of each expert */
  down: MatrixSpec;
  /** Added to the products: [experts, ffn], [experts, ffn] and [experts, hidden]. */
  biases?: { gate?: VectorSpec; up: VectorSpec; down: VectorSpec };
  shared?: SharedExpertSpec;
}

/** An expert that every token takes. */
export interface SharedExpertSpec {
  /** [ffn, hidden] */
  gate?: MatrixSpec;
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

/** Plans a router that reads the residual stream as it is, in a part of the layer before the one of its experts. Song et al. 2025 (SmallThinker). */
export function earlyRouter(router: MatrixSpec): LayerPlan {
  return { create: (context) => new EarlyRouter(context, router) };
}

class EarlyRouter implements Layer {
  readonly #kernels: Kernels;
  readonly #logits: Region;
  readonly #router: Weights;
  readonly #input: LayerInput;

  constructor(context: LayerContext, router: MatrixSpec) {
    this.#kernels = context.kernels;
    this.#logits = expertScratch(context).logits;
    this.#router = context.tensors.matrix(router);
    this.#input = new StreamInput(context, undefined, [this.#router]);
  }

  forward(tokens: number): void {
    this.#input.forward(tokens);
    this.#kernels.matmul(this.#input.activation, tokens, false, this.#router, undefined, this.#logits);
  }
}

function expertScratch({ scratch: { experts } }: LayerContext): ExpertScratch {
  if (experts === undefined) throw new Error("Cannot make experts: the scratch has no regions for them");
  return experts;
}

/**
 * x += Σₑ wₑ · W_down,ₑ · (f(W_gate,ₑ · norm(x)) · (W_up,ₑ · norm(x))) over the experts e that a router chooses for each token, in
 * ascending order, and a shared one where the model has it; f(W_up,ₑ · norm(x)) of experts without a gate. Three calls, five with a shared one. Shazeer et al. 2017; Jiang et al. 2024 (Mixtral);
 * DeepSeek-AI 2024 (shared experts).
 */
export class Experts implements Layer {
  readonly #kernels: Kernels;
  readonly #regions: ExpertScratch;
  readonly #input: LayerInput;
  readonly #router: Weights | undefined;
  readonly #routerBias: Vector | undefined;
  readonly #shared: SharedExpert | undefined;
  readonly #call: ExpertsCall;

  constructor(context: LayerContext, spec: ExpertsSpec) {
    const { kernels, scratch, tensors } = context;
    const regions = expertScratch(context);
    this.#kernels = kernels;
    this.#regions = regions;
    this.#router = tensors.optionalMatrix(spec.router);
    this.#routerBias = tensors.optionalVector(spec.routerBias);
    const matrices = (weights: MatrixSpec, bias: VectorSpec | undefined): ExpertMatrices => ({
      weights: tensors.matrix(weights),
      bias: tensors.optionalVector(bias),
    });
    const gate = spec.gate && matrices(spec.gate, spec.biases?.gate);
    const up = matrices(spec.up, spec.biases?.up);
    const down = matrices(spec.down, spec.biases?.down);
    this.#shared = spec.shared && new SharedExpert(context, spec.shared, spec.activation);
    const first = gate === undefined ? [up.weights] : [gate.weights, up.weights];
    const readers = [...first, ...this.#shared?.readers ?? []];
    if (this.#router !== undefined) readers.unshift(this.#router);
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
      gathered: regions.gathered.formsFor(first).region,
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
    if (this.#router !== undefined) {
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
    }
    shared?.forward(x, tokens);
    kernels.experts(this.#call, tokens);
  }
}

/** The feed-forward of every token, whose result lies in the scratch's `branch`. */
class SharedExpert {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #gate: Weights | undefined;
  readonly #up: Weights;
  readonly #down: Weights;
  readonly #gated: Activation;
  readonly #activation: ExpertFunction;
  /** What its factor is a product with. */
  readonly factor: Weights | undefined;

  constructor(
    { kernels, scratch, tensors }: LayerContext,
    spec: SharedExpertSpec,
    activation: ExpertFunction,
  ) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#gate = tensors.optionalMatrix(spec.gate);
    this.#up = tensors.matrix(spec.up);
    this.#down = tensors.matrix(spec.down);
    this.#gated = scratch.gated.formsFor([this.#down]);
    this.#activation = activation;
    this.factor = tensors.optionalMatrix(spec.factor);
  }

  /** The matrices that multiply its input. */
  get readers(): Weights[] {
    return [this.#gate, this.#up, this.factor].filter((weights) => weights !== undefined);
  }

  forward(x: Activation, tokens: number): void {
    const kernels = this.#kernels, gated = this.#gated;
    const { gate, up, branch } = this.#scratch;
    if (this.#gate === undefined) {
      const f = { function: plainFunction(this.#activation) };
      kernels.upActivate(x, tokens, this.#up, undefined, up, f, gated);
    } else {
      const f = gateFunction(this.#activation);
      kernels.gateUp(x, tokens, this.#gate, undefined, this.#up, undefined, gate, up, f, gated);
    }
    kernels.matmul(gated, tokens, false, this.#down, undefined, branch);
  }
}
