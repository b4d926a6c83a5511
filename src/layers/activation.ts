import { type Kernels, NONE, type Region, type Weights } from "../ffi/context.ts";
import { type ActivationKind, activationKindOf } from "./formats.ts";
import type { WorkspacePlan } from "./workspace.ts";

/** The same [tokens, k] matrix in each form that a reader wants: NONE where nobody reads that form. */
export interface Activation {
  /** f32, row-major. */
  readonly f32: Region;
  /** int8 with a scale per 32 values: what Q8_0 and Q4_0 weights multiply. */
  readonly q32: Region;
  /** int8 with a scale per 256 values: what the K formats multiply. */
  readonly q256: Region;
}

/**
 * Workspace for a [rows, k] activation that layers use one after the other. A form is reserved when the first
 * reader needs it, so a model in one quantised format never pays for the others.
 */
export class ActivationBuffer {
  readonly #kernels: Kernels;
  readonly #plan: WorkspacePlan;
  readonly #rows: number;
  readonly #k: number;
  readonly #regions = new Map<ActivationKind, Region>();

  constructor(kernels: Kernels, plan: WorkspacePlan, rows: number, k: number) {
    this.#kernels = kernels;
    this.#plan = plan;
    this.#rows = rows;
    this.#k = k;
  }

  /** The forms that `readers` multiply, and no others: the op that writes them quantises in its epilogue. */
  formsFor(readers: readonly Weights[]): Activation {
    const kinds = new Set(readers.map((weights) => activationKindOf(weights.format)));
    return {
      f32: kinds.has("f32") ? this.#form("f32") : NONE,
      q32: kinds.has("per32") ? this.#form("per32") : NONE,
      q256: kinds.has("per256") ? this.#form("per256") : NONE,
    };
  }

  #form(kind: ActivationKind): Region {
    let region = this.#regions.get(kind);
    if (region === undefined) {
      region = this.#plan.take(this.#rows * this.#rowBytes(kind));
      this.#regions.set(kind, region);
    }
    return region;
  }

  #rowBytes(kind: ActivationKind): number {
    if (kind === "f32") return this.#k * Float32Array.BYTES_PER_ELEMENT;
    return this.#kernels.activationBytes(kind === "per32" ? 0 : 1, this.#k);
  }
}
