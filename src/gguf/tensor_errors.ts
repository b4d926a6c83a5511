import type { QuantizeKernels } from "./quantize_file.ts";
import type { GgufFile } from "./reader.ts";
import { elementCount, tensorType, TensorTypeId } from "./tensor_types.ts";

/** How far a tensor of one file is from that of the same name in another. */
export interface TensorError {
  readonly name: string;
  /** Type names. */
  readonly from: string;
  readonly to: string;
  /** Root mean square of the difference over that of the first file's values; 0 where those are all zero. */
  readonly relativeError: number;
}

/** Tensors of two files of one model. */
export interface TensorErrors {
  /** Matrices, the worst first. */
  readonly tensors: readonly TensorError[];
  /** Names that only one file has, or with other dimensions: with any, the files are of different models. */
  readonly unmatched: readonly string[];
}

type Decoder = Pick<QuantizeKernels, "dequantize">;

// A multiple of every block length.
const CHUNK_ELEMENTS = 1 << 20;

/** Decodes the matrices of both files, some at a time, and compares them. */
export function compareTensors(
  a: GgufFile,
  b: GgufFile,
  kernels: Decoder,
  checkpoint: () => void = () => {},
): TensorErrors {
  const names = new Set([...a.tensors.keys(), ...b.tensors.keys()]);
  const isMatched = (name: string) => `${a.tensors.get(name)?.dims}` === `${b.tensors.get(name)?.dims}`;
  const tensors = [...names].filter((name) => isMatched(name) && a.tensor(name).dims.length > 1).map(
    (name) => {
      checkpoint();
      const { type: from, dims } = a.tensor(name);
      const to = b.tensor(name).type;
      const relativeError = errorOf(name, elementCount(dims), a, b, kernels);
      return { name, from: tensorType(from).name, to: tensorType(to).name, relativeError };
    },
  );
  return {
    tensors: tensors.sort((one, other) => other.relativeError - one.relativeError),
    unmatched: [...names].filter((name) => !isMatched(name)),
  };
}

function errorOf(name: string, count: number, a: GgufFile, b: GgufFile, kernels: Decoder): number {
  let squares = 0, errorSquares = 0;
  for (let done = 0; done < count; done += CHUNK_ELEMENTS) {
    const length = Math.min(CHUNK_ELEMENTS, count - done);
    const [x, y] = [valuesOf(a, name, done, length, kernels), valuesOf(b, name, done, length, kernels)];
    for (let i = 0; i < length; i++) {
      squares += x[i] * x[i];
      errorSquares += (x[i] - y[i]) ** 2;
    }
  }
  return squares === 0 ? 0 : Math.sqrt(errorSquares / squares);
}

function valuesOf(
  file: GgufFile,
  name: string,
  first: number,
  length: number,
  kernels: Decoder,
): Float32Array {
  const { id, blockLength, blockBytes } = tensorType(file.tensor(name).type);
  const bytes = new Uint8Array(length / blockLength * blockBytes);
  file.readInto(name, first / blockLength * blockBytes, bytes);
  if (id === TensorTypeId.F32) return new Float32Array(bytes.buffer);
  const values = new Float32Array(length);
  kernels.dequantize(id, bytes, values);
  return values;
}
