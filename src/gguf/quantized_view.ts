/** A model whose matrices are quantised as they are read: nothing is written, and memory holds some rows at a time. @module */

import { GgufError, quote } from "./error.ts";
import { parseHeader } from "./header.ts";
import type { QuantizeKernels } from "./quantize_file.ts";
import { type PlannedTensor, planQuantization } from "./quantize_plan.ts";
import { GgufFile } from "./reader.ts";
import { elementCount, tensorType, TensorTypeId } from "./tensor_types.ts";
import { VirtualSource, type VirtualTensor } from "./virtual_file.ts";

/** Elements that are converted at a time, in whole rows: 4 MB of f32. */
const CHUNK_ELEMENTS = 1 << 20;

/** The file, and sentences for the user, such as that some tensors take another format. */
export interface QuantizedView {
  readonly file: GgufFile;
  readonly warnings: readonly string[];
}

/**
 * Reads as the file that `quantizeFile` would write of it, bit for bit. Closing it closes `file`; `kernels` must stay
 * open as long. Throws GgufError for a format that is none and for weights that are quantised already; reading a tensor
 * throws it for weights that are not finite.
 */
export function quantizedView(file: GgufFile, format: string, kernels: QuantizeKernels): QuantizedView {
  const { entries, tensors, warnings } = planQuantization(file, { format });
  const views = tensors.map((plan): VirtualTensor => ({
    name: plan.source.name,
    type: plan.typeId,
    dims: plan.source.dims,
    read: readerOf(file, plan, kernels),
  }));
  const source = new VirtualSource(entries, views, () => file.close());
  return { file: new GgufFile({ path: file.path, source, header: parseHeader(source) }), warnings };
}

function readerOf(file: GgufFile, { source, typeId, bytes }: PlannedTensor, kernels: QuantizeKernels) {
  const { name, dims } = source;
  if (source.type === typeId) {
    return (offset: number, target: Uint8Array) => file.readInto(name, offset, target);
  }
  const from = tensorType(source.type);
  const row = dims[0];
  const rows = elementCount(dims) / row;
  const rowBytes = bytes / rows;
  const sourceRowBytes = row / from.blockLength * from.blockBytes;
  const rowsMax = Math.max(1, Math.floor(CHUNK_ELEMENTS / row));

  const convert = (first: number, count: number): Uint8Array => {
    const read = new Uint8Array(count * sourceRowBytes);
    file.readInto(name, first * sourceRowBytes, read);
    let values = new Float32Array(read.buffer);
    if (source.type !== TensorTypeId.F32) {
      values = new Float32Array(count * row);
      kernels.dequantize(source.type, read, values);
    }
    if (!values.every(Number.isFinite)) {
      throw new GgufError(`tensor ${quote(name)} holds weights that are not finite`);
    }
    if (typeId === TensorTypeId.F32) return new Uint8Array(values.buffer);
    const written = new Uint8Array(count * rowBytes);
    kernels.quantize(typeId, values, written);
    return written;
  };

  return (offset: number, target: Uint8Array) => {
    const end = offset + target.length;
    const last = Math.ceil(end / rowBytes);
    for (let first = Math.floor(offset / rowBytes); first < last; first += rowsMax) {
      const part = convert(first, Math.min(rowsMax, last - first));
      const start = first * rowBytes;
      const [low, high] = [Math.max(offset, start), Math.min(end, start + part.length)];
      target.set(part.subarray(low - start, high - start), low - offset);
    }
  };
}
