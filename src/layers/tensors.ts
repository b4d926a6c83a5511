/** Tensors as a model declares them, and as its layers get them from a file. @module */

import type { Vector, Weights } from "../ffi/context.ts";

/**
 * What a tensor is for. Random models fill it by that: weights so that activations stay near 1, less where a product is added
 * to the residual stream, norms near 1, biases near 0, decays below it, kernels of convolutions so that they keep what they see in size. Routers are in F32 whatever the others are.
 */
export type TensorRole =
  | "weights"
  | "residual"
  | "output"
  | "router"
  | "norm"
  | "bias"
  | "frequencies"
  | "kernel"
  | "decay";

/** One tensor that a model reads. */
export interface TensorSpec {
  readonly name: string;
  readonly kind: "matrix" | "vector";
  /** A matrix is [rows, k] with k contiguous; a vector has one row, or one for each head. */
  readonly rows: number;
  readonly k: number;
  /** So many matrices, [experts, rows, k]; default: one. */
  readonly experts?: number;
  /** False where a file may leave it out. */
  readonly required: boolean;
  readonly role: TensorRole;
}

/** A declared matrix. */
export interface MatrixSpec extends TensorSpec {
  readonly kind: "matrix";
}

/** A declared vector. */
export interface VectorSpec extends TensorSpec {
  readonly kind: "vector";
}

/** An RMSNorm: its weights and what is added to the mean square. */
export interface RmsNormSpec {
  kind?: "rms";
  weight: VectorSpec;
  eps: number;
}

/** A LayerNorm: weights and biases where it has any, and what is added to the variance. */
export interface LayerNormSpec {
  kind: "layer";
  weight?: VectorSpec;
  bias?: VectorSpec;
  eps: number;
}

export type NormSpec = RmsNormSpec | LayerNormSpec;

/** Tensors of a checked file, on their way into the kernels. */
export interface TensorSource {
  /** Throws where the file has no such tensor: a checked file has all that are required. */
  matrix(spec: MatrixSpec): Weights;
  vector(spec: VectorSpec): Vector;
  /** Undefined where nothing was declared or the file has no such tensor. */
  optionalMatrix(spec: MatrixSpec | undefined): Weights | undefined;
  optionalVector(spec: VectorSpec | undefined): Vector | undefined;
}
