/** Matrices that a file has transposed: they are turned in F32 as they are read, so that no element changes. @module */

import { TensorTypeId } from "../gguf/tensor_types.ts";
import type { TensorSpec } from "../layers/tensors.ts";

/** Decodes a tensor's blocks. */
export type Dequantize = (type: number, source: Uint8Array, target: Float32Array) => void;

const F32_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The tensor of a part, [matrices, rows, k] in F32, that lies transposed in another one. */
export function transposedTensor<T extends { readonly type: number; readonly dims: readonly number[] }>(
  whole: T,
  { rows, k, experts = 1 }: TensorSpec,
): T {
  const size = "bytes" in whole ? { bytes: experts * rows * k * F32_BYTES } : {};
  return { ...whole, ...size, type: TensorTypeId.F32, dims: [k, rows, experts] };
}

/**
 * Reads such a part. `type`: of its blocks in the file; `read`: reads the matrices there, [k, rows] of `matrixBytes` bytes each, one
 * after another. One matrix is kept: who reads on finds the rest of it.
 */
export function transposedReader(
  { rows, k }: TensorSpec,
  type: number,
  matrixBytes: number,
  read: (byteOffset: number, target: Uint8Array) => void,
  dequantize: Dequantize,
): (byteOffset: number, target: Uint8Array) => void {
  const raw = new Uint8Array(matrixBytes);
  const decoded = new Float32Array(rows * k), turned = new Float32Array(rows * k);
  const bytes = new Uint8Array(turned.buffer);
  let kept = -1;
  const fetch = (matrix: number) => {
    if (matrix === kept) return;
    read(matrix * matrixBytes, raw);
    if (type === TensorTypeId.F32) new Uint8Array(decoded.buffer).set(raw);
    else dequantize(type, raw, decoded);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < k; column++) turned[row * k + column] = decoded[column * rows + row];
    }
    kept = matrix;
  };
  return (byteOffset, target) => {
    for (let done = 0; done < target.length;) {
      const at = byteOffset + done, within = at % bytes.length;
      const count = Math.min(target.length - done, bytes.length - within);
      fetch(Math.floor(at / bytes.length));
      target.set(bytes.subarray(within, within + count), done);
      done += count;
    }
  };
}
