import type { Kernels, Region, Weights } from "../ffi/context.ts";

/** Rows of the token table: y[t] = table[ids[t]]. table: [vocab, hidden] in any weight format; y: f32. */
export class Embedding {
  readonly #kernels: Kernels;
  readonly #table: Weights;

  constructor(kernels: Kernels, table: Weights) {
    this.#kernels = kernels;
    this.#table = table;
  }

  forward(ids: Uint32Array, y: Region): void {
    this.#kernels.lookUpRows(this.#table, ids, y);
  }
}
