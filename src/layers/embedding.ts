import type { Arena, Kernels, Region, Weights } from "../ffi/context.ts";

/**
 * Rows of the token table: y[t] = scale · table[ids[t]], plus the row of the token's position where the model learned such rows.
 * table: [vocab, hidden], positions: [context, hidden], in any weight format; y: f32.
 */
export class Embedding {
  readonly #kernels: Kernels;
  readonly #arena: Arena;
  readonly #table: Weights;
  readonly #scale: number;
  readonly #positions: Weights | undefined;

  /** `arena`: whose batches tell the positions. */
  constructor(kernels: Kernels, arena: Arena, table: Weights, scale: number, positions?: Weights) {
    this.#kernels = kernels;
    this.#arena = arena;
    this.#table = table;
    this.#scale = scale;
    this.#positions = positions;
  }

  forward(ids: Uint32Array, y: Region): void {
    this.#kernels.lookUpRows(this.#table, ids, this.#scale, y);
    if (this.#positions !== undefined) this.#kernels.addPositions(this.#arena, this.#positions, y);
  }
}
