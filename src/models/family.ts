import type { Vector, Weights } from "../ffi/context.ts";
import type { AttentionContext } from "../layers/attention.ts";
import type { Decoder } from "../layers/decoder.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** One tensor that a family reads. A matrix is [rows, k] with k contiguous; a vector has rows 1. */
export interface TensorSpec {
  name: string;
  kind: "matrix" | "vector";
  rows: number;
  k: number;
  /** False where the family can do without it. */
  required: boolean;
}

/** A matrix of [rows, k] weights. */
export function matrix(name: string, rows: number, k: number): TensorSpec {
  return { name, kind: "matrix", rows, k, required: true };
}

/** A vector of n elements. */
export function vector(name: string, n: number): TensorSpec {
  return { name, kind: "vector", rows: 1, k: n, required: true };
}

/** The same tensor where a file may leave it out. */
export function optional(spec: TensorSpec): TensorSpec {
  return { ...spec, required: false };
}

/** Tensors of a checked file, on their way into the kernels. */
export interface TensorSource {
  matrix(name: string): Weights;
  vector(name: string): Vector;
  /** Undefined where the file has no such tensor. */
  optionalMatrix(name: string): Weights | undefined;
  optionalVector(name: string): Vector | undefined;
}

/** Everything that differs between model families. */
export interface ModelFamily {
  /** The value of `general.architecture` in GGUF files. */
  readonly architecture: string;
  /** Throws ModelError where the file says something that cannot be. */
  hyperparameters(file: ModelHeader): Hyperparameters;
  tensors(h: Hyperparameters): TensorSpec[];
  compose(h: Hyperparameters, source: TensorSource, context: AttentionContext): Decoder;
}
