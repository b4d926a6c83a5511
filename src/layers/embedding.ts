import type { Kernels, Region, Weights } from "../ffi/context.ts";

/** Rows of the token table: y[t] = scale · table[ids[t]]. table: [vocab, hidden] in any weight format; y: f32. */
export class Embedding {
  readonly #kernels: Kernels;
  readonly #table: Weights;
  readonly #scale: number;

  constructor(kernels: Kernels, table: Weights, scale: number) {
    this.#kernels = kernels;
    this.#table = table;
    this.#scale = scale;
  }

  forward(ids: Uint32Array, y: Region): void {
    this.#kernels.lookUpRows(this.#table, ids, this.#scale, y);
  }
}
