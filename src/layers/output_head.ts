import { f32At, type Kernels, type Region, type Vector, type Weights } from "../ffi/context.ts";
import type { Activation } from "./activation.ts";
import type { Norm } from "./norm.ts";
import type { Scratch } from "./scratch.ts";

/** What a head has beside its tensors. */
export interface OutputHeadOptions {
  /** Multiplies the logits. */
  logitScale: number;
  /** Logits become logitCap · tanh(logit / logitCap); 0: they do not. */
  logitCap: number;
}

/**
 * Logits of chosen tokens: W_out · norm(x[rows]), scaled and capped where the model does that. Three calls or four, for the
 * rows that are wanted and no others.
 */
export class OutputHead {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;
  readonly #weights: Weights;
  readonly #hidden: number;
  readonly #options: OutputHeadOptions;
  readonly #norm: Norm;
  readonly #bias: Vector | undefined;
  readonly #normed: Activation;

  /** `norm`: of rows of [hidden]; `weights`: [vocab, hidden], the token table itself where the model ties them; `bias`: [vocab]. */
  constructor(
    kernels: Kernels,
    scratch: Scratch,
    options: OutputHeadOptions,
    norm: Norm,
    weights: Weights,
    bias?: Vector,
  ) {
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#weights = weights;
    this.#hidden = weights.k;
    this.#options = options;
    this.#norm = norm;
    this.#bias = bias;
    this.#normed = scratch.pickedNormed.formsFor([weights]);
  }

  /** `rows`: indices of tokens of the step. Returns the region of [rows.length, vocab] f32 logits. */
  forward(rows: Uint32Array): Region {
    const kernels = this.#kernels, scratch = this.#scratch;
    kernels.gatherRows(scratch.x, this.#hidden, rows, scratch.picked);
    this.#norm.forward(scratch.picked, rows.length, this.#normed);
    kernels.matmul(this.#normed, rows.length, false, this.#weights, this.#bias, scratch.logits);
    const { logitScale, logitCap } = this.#options;
    if (logitScale !== 1 || logitCap !== 0) {
      kernels.capLogits(scratch.logits, this.#weights.rows, rows.length, logitScale, logitCap);
    }
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
