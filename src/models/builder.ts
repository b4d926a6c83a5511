import type { MatrixSpec, TensorRole, TensorSpec, VectorSpec } from "../layers/tensors.ts";

/** Where a family declares its tensors. */
export class ModelBuilder {
  readonly #tensors = new Map<string, TensorSpec>();

  /** All that were declared, in order. */
  get tensors(): readonly TensorSpec[] {
    return [...this.#tensors.values()];
  }

  /** A matrix of [rows, k] weights. */
  matrix(name: string, rows: number, k: number, role: TensorRole = "weights"): MatrixSpec {
    return this.#declare({ name, kind: "matrix", rows, k, required: true, role });
  }

  /** A matrix that a file may leave out. */
  optionalMatrix(name: string, rows: number, k: number, role: TensorRole = "weights"): MatrixSpec {
    return this.#declare({ name, kind: "matrix", rows, k, required: false, role });
  }

  /** A vector of n elements. */
  vector(name: string, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: 1, k: n, required: true, role });
  }

  /** A vector that a file may leave out. */
  optionalVector(name: string, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: 1, k: n, required: false, role });
  }

  #declare<T extends TensorSpec>(spec: T): T {
    if (this.#tensors.has(spec.name)) throw new Error(`Tensor "${spec.name}" was declared twice`);
    this.#tensors.set(spec.name, spec);
    return spec;
  }
}
