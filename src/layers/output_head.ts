import { f32At, type Kernels, type Region, type Vector, type Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import { RmsNorm } from "./rms_norm.ts";
import type { Scratch } from "./scratch.ts";

/** Logits of chosen tokens: W_out · norm(x[rows]). Three calls, for the rows that are wanted and no others. */
export class OutputHead {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #weights: Weights;
  readonly #hidden: number;
  readonly #norm: RmsNorm;
  readonly #normed: Activation;

  /** `norm`: [hidden]; `weights`: [vocab, hidden], the token table itself where the model ties them. */
  constructor(kernels: Kernels, scratch: Scratch, normEps: number, norm: Vector, weights: Weights) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#weights = weights;
    this.#hidden = weights.k;
    this.#norm = new RmsNorm(kernels, norm, normEps);
    this.#normed = scratch.pickedNormed.formsFor([weights]);
  }

  /** `rows`: indices of tokens of the step. Returns the region of [rows.length, vocab] f32 logits. */
  forward(rows: Uint32Array): Region {
    const kernels = this.#kernels, scratch = this.#scratch;
    kernels.gatherRows(scratch.x, this.#hidden, rows, scratch.picked);
    this.#norm.forward(scratch.picked, rows.length, this.#normed);
    kernels.matmul(this.#normed, rows.length, false, this.#weights, undefined, scratch.logits);
    return scratch.logits;
  }

  /** norm(x[rows]): the region of [rows.length, hidden] f32 hidden states that the logits would be computed from. */
  hidden(rows: Uint32Array): Region {
    const scratch = this.#scratch;
    this.#kernels.gatherRows(scratch.x, this.#hidden, rows, scratch.picked);
    this.#norm.forward(scratch.picked, rows.length, f32At(scratch.hidden));
    return scratch.hidden;
  }
}
