import type { Kernels, Vector, Weights } from "../ffi/context.ts";
import { limits } from "../ffi/symbols.ts";
import { tensorType, TensorTypeId } from "../gguf/tensor_types.ts";
import { ModelError } from "./error.ts";
import type { MatrixSpec, TensorSource, VectorSpec } from "../layers/tensors.ts";
import type { ModelHeader } from "./hyperparameters.ts";

/** Bytes read and packed at a time: what was read is still in a core's cache when it is packed. */
const READ_BYTES = 1 << 20;

/** A model file whose tensors can be read. */
export interface ModelFile extends ModelHeader {
  readonly tensors: ReadonlyMap<
    string,
    { readonly type: number; readonly dims: readonly number[]; readonly bytes: number }
  >;
  /** Fills `target` from `byteOffset` on within the tensor's data. */
  readInto(tensor: string, byteOffset: number, target: Uint8Array): void;
}

/** Packed matrices in this process, by tensor name: the library's numbers. */
export type SharedWeights = Readonly<Record<string, number>>;

export interface StreamOptions {
  /** Called after each part with the bytes done so far and in total. */
  progress?: (doneBytes: number, totalBytes: number) => void;
  /** Called between parts; may throw to stop, and yields to other work by what it awaits. */
  checkpoint: () => Promise<void>;
}

/**
 * Moves the tensors of a checked file into the kernels. Matrices are created empty when a layer asks for them and
 * filled later by {@linkcode TensorLoader.stream}; vectors are small and filled at once.
 */
export class TensorLoader implements TensorSource {
  readonly #kernels: Kernels;
  readonly #file: ModelFile;
  readonly #shareFrom: SharedWeights;
  readonly #matrices = new Map<string, Weights>();
  readonly #vectors = new Map<string, Vector>();

  /** Matrices named in `shareFrom` are taken from there, the others and all vectors from the file. */
  constructor(kernels: Kernels, file: ModelFile, shareFrom: SharedWeights = {}) {
    this.#kernels = kernels;
    this.#file = file;
    this.#shareFrom = shareFrom;
  }

  /** The matrices that were asked for, to be given to another loader as `shareFrom`. */
  sharedWeights(): Record<string, number> {
    return Object.fromEntries(this.#matrices.entries().map(([name, weights]) => [name, weights.id]));
  }

  /** The same handle each time it is asked for. */
  matrix(spec: MatrixSpec): Weights {
    return this.optionalMatrix(spec) ?? unchecked(spec.name);
  }

  optionalMatrix(spec: MatrixSpec | undefined): Weights | undefined {
    if (spec === undefined) return undefined;
    const { name, k, experts = 1 } = spec;
    const rows = experts * spec.rows;
    const existing = this.#matrices.get(name);
    const tensor = this.#file.tensors.get(name);
    if (existing !== undefined || tensor === undefined) return existing;
    const weights = this.#isShared(name)
      ? this.#share(name, tensor.type, rows, k)
      : this.#kernels.createWeights(tensor.type, rows, k);
    this.#matrices.set(name, weights);
    return weights;
  }

  #isShared(name: string): boolean {
    return Object.hasOwn(this.#shareFrom, name);
  }

  #share(name: string, format: number, rows: number, k: number): Weights {
    const shared = this.#kernels.shareWeights(this.#shareFrom[name]);
    if (shared.format === format && shared.rows === rows && shared.k === k) return shared;
    throw new ModelError(
      `Cannot share tensor "${name}": the file's is [${rows}, ${k}] of format ${format}, the shared one ${shared}`,
    );
  }

  /** The same handle each time it is asked for. */
  vector(spec: VectorSpec): Vector {
    return this.optionalVector(spec) ?? unchecked(spec.name);
  }

  optionalVector(spec: VectorSpec | undefined): Vector | undefined {
    if (spec === undefined) return undefined;
    const { name } = spec;
    const existing = this.#vectors.get(name);
    const tensor = this.#file.tensors.get(name);
    if (existing !== undefined || tensor === undefined) return existing;
    const raw = new Uint8Array(tensor.bytes);
    this.#file.readInto(name, 0, raw);
    const vector = this.#kernels.createVector(this.#toF32(tensor.type, raw));
    this.#vectors.set(name, vector);
    return vector;
  }

  #toF32(type: number, raw: Uint8Array): Float32Array {
    if (type === TensorTypeId.F32) return new Float32Array(raw.buffer);
    const values = new Float32Array(raw.length / tensorType(type).blockBytes);
    this.#kernels.dequantize(type, raw, values);
    return values;
  }

  /** Fills all matrices that were asked for and are not shared, a few MB at a time. */
  async stream({ progress, checkpoint }: StreamOptions): Promise<void> {
    const tensors = this.#file.tensors;
    const totalBytes = [...this.#matrices.keys()].reduce((sum, name) => sum + tensors.get(name)!.bytes, 0);
    const own = this.#matrices.entries().filter(([name]) => !this.#isShared(name)).toArray();
    let doneBytes = own.reduce((rest, [name]) => rest - tensors.get(name)!.bytes, totalBytes);
    if (doneBytes > 0) progress?.(doneBytes, totalBytes);
    let buffer = new Uint8Array(READ_BYTES);
    for (const [name, weights] of own) {
      const rowBytes = tensors.get(name)!.bytes / weights.rows;
      // Rows are packed in panels, so a part begins where a panel does.
      const rowsPerRead = Math.max(1, Math.floor(READ_BYTES / rowBytes / limits.panelRows)) *
        limits.panelRows;
      if (buffer.length < rowsPerRead * rowBytes) buffer = new Uint8Array(rowsPerRead * rowBytes);
      for (let row = 0; row < weights.rows; row += rowsPerRead) {
        await checkpoint();
        const rows = Math.min(rowsPerRead, weights.rows - row);
        const part = buffer.subarray(0, rows * rowBytes);
        this.#file.readInto(name, row * rowBytes, part);
        weights.load(row, rows, part);
        doneBytes += part.length;
        progress?.(doneBytes, totalBytes);
      }
    }
  }
}

function unchecked(name: string): never {
  throw new Error(`Tensor "${name}" was not checked before it was used`);
}
