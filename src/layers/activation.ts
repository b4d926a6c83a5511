import type { Activation, Kernels, Region, Weights } from "../ffi/context.ts";
import { activationFormOf } from "./formats.ts";
import type { WorkspacePlan } from "./workspace.ts";

export type { Activation } from "../ffi/context.ts";

/**
 * Workspace for a [rows, k] activation that layers use one after the other. Room is reserved when the first reader needs it, in
 * the forms that readers want together, so a model in one quantised format never pays for others.
 */
export class ActivationBuffer {
  readonly #kernels: Kernels;
  readonly #plan: WorkspacePlan;
  readonly #rows: number;
  readonly #k: number;
  readonly #also: number;
  /** By mask of forms. */
  readonly #regions = new Map<number, Region>();

  /** `also`: forms that are wanted beside those that readers need. */
  constructor(kernels: Kernels, plan: WorkspacePlan, rows: number, k: number, also = 0) {
    this.#kernels = kernels;
    this.#plan = plan;
    this.#rows = rows;
    this.#k = k;
    this.#also = also;
  }

  /** The forms that `readers` multiply, and no others: the op that writes them quantises in its epilogue. */
  formsFor(readers: readonly Weights[]): Activation {
    const forms = readers.reduce((mask, weights) => mask | activationFormOf(weights.format), this.#also);
    let region = this.#regions.get(forms);
    if (region === undefined) {
      region = this.#plan.take(this.#kernels.activationBytes(forms, this.#rows, this.#k));
      this.#regions.set(forms, region);
    }
    return { region, forms };
  }
}
