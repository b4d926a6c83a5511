import type { Kernels, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { RmsNorm } from "./rms_norm.ts";
import type { Scratch } from "./scratch.ts";
import type { MatrixSpec, NormSpec } from "./tensors.ts";

/** What the gated feed-forward of one layer is. Matrices are [rows, k]. */
export interface FeedForwardSpec {
  /** The function of the gate. */
  activation: "silu" | "gelu";
  /** Of the residual stream before the products: [hidden]. */
  norm: NormSpec;
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
  return { lacking: lacking(spec), create: (context) => new FeedForward(context, spec) };
}

function lacking({ activation, postNorm }: FeedForwardSpec): string | undefined {
  if (activation !== "silu") return `a feed-forward gated by ${activation}`;
  if (postNorm !== undefined) return "a norm of the feed-forward's output";
  return undefined;
}

/** x += W_down · (silu(W_gate · norm(x)) · (W_up · norm(x))). Three calls. Shazeer 2020 (SwiGLU). */
class FeedForward implements Layer {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #norm: RmsNorm;
  readonly #normed: Activation;
  readonly #gated: Activation;
  readonly #gate: Weights;
  readonly #up: Weights;
  readonly #down: Weights;

  constructor({ kernels, scratch, tensors }: LayerContext, spec: FeedForwardSpec) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#norm = new RmsNorm(kernels, tensors.vector(spec.norm.weight), spec.norm.eps);
    this.#gate = tensors.matrix(spec.gate);
    this.#up = tensors.matrix(spec.up);
    this.#down = tensors.matrix(spec.down);
    this.#normed = scratch.normed.formsFor([this.#gate, this.#up]);
    this.#gated = scratch.gated.formsFor([this.#down]);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, normed = this.#normed, gated = this.#gated;
    const { x, gate, up } = this.#scratch;
    this.#norm.forward(x, tokens, normed);
    kernels.gateUp(normed, tokens, this.#gate, this.#up, gate, up, gated);
    kernels.matmul(gated, tokens, true, this.#down, undefined, x);
  }
}
