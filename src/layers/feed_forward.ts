import type { Kernels, Vector, Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import { RmsNorm } from "./rms_norm.ts";
import type { Scratch } from "./scratch.ts";

/** What the feed-forward of one layer is made of. Matrices are [rows, k]. */
export interface FeedForwardWeights {
  /** [hidden] */
  norm: Vector;
  /** [ffn, hidden] */
  gate: Weights;
  /** [ffn, hidden] */
  up: Weights;
  /** [hidden, ffn] */
  down: Weights;
}

/**
 * x += W_down · (silu(W_gate · norm(x)) · (W_up · norm(x))). x: [tokens, hidden] f32 in the scratch. Three calls.
 * Shazeer 2020 (SwiGLU).
 */
export class FeedForward {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #weights: FeedForwardWeights;
  readonly #norm: RmsNorm;
  readonly #normed: Activation;
  readonly #gated: Activation;

  constructor(kernels: Kernels, scratch: Scratch, normEps: number, weights: FeedForwardWeights) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#weights = weights;
    this.#norm = new RmsNorm(kernels, weights.norm, normEps);
    this.#normed = scratch.normed.formsFor([weights.gate, weights.up]);
    this.#gated = scratch.gated.formsFor([weights.down]);
  }

  forward(tokens: number): void {
    const kernels = this.#kernels, scratch = this.#scratch, w = this.#weights;
    const normed = this.#normed, gated = this.#gated;
    this.#norm.forward(scratch.x, tokens, normed);
    kernels.gateUp(normed, tokens, w.gate, w.up, scratch.gate, scratch.up, gated);
    kernels.matmul(gated, tokens, true, w.down, undefined, scratch.x);
  }
}
