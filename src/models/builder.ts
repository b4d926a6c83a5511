import type { MatrixSpec, TensorRole, TensorSpec, VectorSpec } from "../layers/tensors.ts";
import { type Fusion, lengthOf } from "./fused.ts";

/** Where a family declares its tensors. */
export class ModelBuilder {
  readonly #tensors = new Map<string, TensorSpec>();
  readonly #fusions: Fusion[] = [];
  readonly #ignored: string[] = [];

  /** All that were declared, in order. */
  get tensors(): readonly TensorSpec[] {
    return [...this.#tensors.values()];
  }

  /** All that files may have in one. */
  get fusions(): readonly Fusion[] {
    return this.#fusions;
  }

  /** How the names of tensors begin that files may have and nothing reads. */
  get ignored(): readonly string[] {
    return this.#ignored;
  }

  /** Says that files may have tensors whose names begin like this, and that nothing reads them. */
  ignore(prefix: string): void {
    this.#ignored.push(prefix);
  }

  /**
   * Says that files may have these tensors in one of this name, in this order: all matrices of as many columns, those of experts
   * expert by expert, or all vectors.
   * `isUsual`: the family's files do, so random models too.
   */
  fuse<T extends TensorSpec>(name: string, parts: readonly [T, ...T[]], isUsual = false): void {
    const [{ kind, k, role, experts }] = parts;
    const length = parts.reduce((sum, part) => sum + lengthOf(part), 0);
    const size = kind === "matrix" ? { rows: length, k } : { rows: 1, k: length };
    const required = parts.every((part) => part.required);
    this.#fusions.push({ whole: { name, kind, ...size, experts, required, role }, parts, isUsual });
  }

  /**
   * Says that files may have matrices of each head in one of this name, [heads · (columns of first + rows of second), k]: those of the
   * first transposed, then those of the second. `isUsual`: the family's files do.
   */
  fuseTransposed(name: string, first: MatrixSpec, second: MatrixSpec, isUsual = false): void {
    const { rows: k, experts: heads = 1, role, required } = first;
    const rows = heads * (first.k + second.rows);
    const whole: MatrixSpec = { name, kind: "matrix", rows, k, required, role };
    this.#fusions.push({ whole, parts: [first, second], transposed: [first], isUsual });
  }

  /** A matrix of [rows, k] weights. */
  matrix(name: string, rows: number, k: number, role: TensorRole = "weights"): MatrixSpec {
    return this.#declare({ name, kind: "matrix", rows, k, required: true, role });
  }

  /** Matrices of [rows, k] weights, one of each expert or head, in one tensor. */
  expertMatrices(
    name: string,
    experts: number,
    rows: number,
    k: number,
    role: TensorRole = "weights",
  ): MatrixSpec {
    return this.#declare({ name, kind: "matrix", rows, k, experts, required: true, role });
  }

  /** A matrix that a file may leave out. */
  optionalMatrix(name: string, rows: number, k: number, role: TensorRole = "weights"): MatrixSpec {
    return this.#declare({ name, kind: "matrix", rows, k, required: false, role });
  }

  /** A vector of n elements. */
  vector(name: string, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: 1, k: n, required: true, role });
  }

  /** Vectors of n elements, one of each expert, in one tensor. */
  expertVectors(name: string, experts: number, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: experts, k: n, required: true, role });
  }

  /** Vectors of n elements, one for each of so many channels, in one tensor. */
  vectors(name: string, channels: number, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: channels, k: n, required: true, role });
  }

  /** A vector that a file may leave out. */
  optionalVector(name: string, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: 1, k: n, required: false, role });
  }

  /** Vectors of n elements, one for each of so many heads, that a file may leave out. */
  optionalVectors(name: string, heads: number, n: number, role: TensorRole): VectorSpec {
    return this.#declare({ name, kind: "vector", rows: heads, k: n, required: false, role });
  }

  #declare<T extends TensorSpec>(spec: T): T {
    if (this.#tensors.has(spec.name)) throw new Error(`Tensor "${spec.name}" was declared twice`);
    this.#tensors.set(spec.name, spec);
    return spec;
  }
}
