import { GgufError, quote } from "./error.ts";
import type { ImportanceMatrix } from "./importance.ts";
import { type PlannedTensor, planQuantization, specsOf } from "./quantize_plan.ts";
import { type GgufFile, openGguf, type OpenGgufOptions } from "./reader.ts";
import { elementCount, tensorType, TensorTypeId } from "./tensor_types.ts";
import { GgufWriter } from "./writer.ts";

/** The arithmetic of {@linkcode quantizeFile}. `format` is a tensor type id; lengths are whole blocks. */
export interface QuantizeKernels {
  /** `importance`: how much each element of a row matters; `source` is whole rows of as many. */
  quantize(format: number, source: Float32Array, target: Uint8Array, importance?: Float32Array): void;
  dequantize(format: number, source: Uint8Array, target: Float32Array): void;
}

/** Options of {@linkcode quantizeFile}. */
export interface QuantizeOptions {
  kernels: QuantizeKernels;
  /** A mix's own format for all matrices. */
  isPure?: boolean;
  /** How much each column of a matrix matters: steps are chosen so that errors fall where they matter least. */
  importance?: ImportanceMatrix;
  /** Opens the input; default: {@linkcode openGguf}. */
  open?: (path: string, options: OpenGgufOptions) => Promise<GgufFile>;
  signal?: AbortSignal;
  /** Called after each chunk, with the bytes read so far and the name of the tensor being written. */
  progress?: (bytesDone: number, bytesTotal: number, tensor: string) => void;
}

/** What became of one tensor. */
export interface QuantizedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  /** Type names. */
  readonly from: string;
  readonly to: string;
  /** Size in the new file. */
  readonly bytes: number;
  /** Root mean square and greatest magnitude of the difference to the source, in the unit of the weights. */
  readonly rmsError: number;
  readonly maxError: number;
  /** `rmsError` over the root mean square of the source; 0 for a tensor of zeros. */
  readonly relativeError: number;
}

/** Result of {@linkcode quantizeFile}. */
export interface QuantizeReport {
  readonly format: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly tensors: readonly QuantizedTensor[];
  /** Sentences for the user, e.g. a tensor that could not take the format. */
  readonly warnings: readonly string[];
}

// A multiple of every block length; 4 MB of f32.
const CHUNK_ELEMENTS = 1 << 20;

/**
 * Writes the model at `input` to `output` with its matrices in `format`, a mix or a format; vectors become F32, everything else
 * in the metadata stays. Works through chunks, so that memory stays small for any model; `output` appears only when complete.
 *
 * Throws {@linkcode GgufError} for a source that is itself quantised (Q8_0 is allowed, with a warning), for weights that
 * are not finite, and when `output` is `input`.
 */
export async function quantizeFile(
  input: string,
  output: string,
  format: string,
  options: QuantizeOptions,
): Promise<QuantizeReport> {
  await assertDifferent(input, output);
  using file = await (options.open ?? openGguf)(input, { signal: options.signal });
  const { target, entries, tensors: plans, warnings } = planQuantization(file, { ...options, format });
  await using writer = await GgufWriter.create(output, { entries, tensors: specsOf(plans) });
  const progress = progressOf(plans, options);
  const tensors: QuantizedTensor[] = [];
  for (const plan of plans) tensors.push(await convertTensor(file, plan, writer, options, progress));
  await writer.finish();
  return { format: target.name, bytesIn: file.fileBytes, bytesOut: writer.fileBytes, tensors, warnings };
}

async function assertDifferent(input: string, output: string): Promise<void> {
  // A path that does not exist yet cannot be the same file; a missing input is reported when it is opened.
  const [from, to] = await Promise.all([input, output].map((path) => Deno.realPath(path).catch(() => null)));
  if (from !== null && from === to) {
    throw new GgufError(`${output}: is the input: write to another file`);
  }
}

type Progress = (bytes: number, tensor: string) => void;

function progressOf(plans: readonly PlannedTensor[], { progress }: QuantizeOptions): Progress {
  const total = plans.reduce((sum, { source }) => sum + source.bytes, 0);
  let done = 0;
  return (bytes, tensor) => {
    done += bytes;
    progress?.(done, total, tensor);
  };
}

async function convertTensor(
  file: GgufFile,
  { source, typeId }: PlannedTensor,
  writer: GgufWriter,
  { kernels, importance, signal }: QuantizeOptions,
  progress: Progress,
): Promise<QuantizedTensor> {
  const [from, to] = [tensorType(source.type), tensorType(typeId)];
  const count = elementCount(source.dims);
  const chunk = chunkLength(source.dims);
  const sourceBytes = new Uint8Array(blockBytes(from, chunk));
  const targetBytes = new Uint8Array(blockBytes(to, chunk));
  const values = new Float32Array(chunk);
  const restored = new Float32Array(chunk);
  const errors = new ErrorSums();
  for (let done = 0; done < count; done += chunk) {
    signal?.throwIfAborted();
    const length = Math.min(chunk, count - done);
    const bytesIn = sourceBytes.subarray(0, blockBytes(from, length));
    file.readInto(source.name, blockBytes(from, done), bytesIn);
    if (from === to) {
      await writer.write(bytesIn);
    } else {
      const bytesOut = targetBytes.subarray(0, blockBytes(to, length));
      decode(kernels, from.id, bytesIn, values.subarray(0, length));
      const weights = importance?.at(source, done);
      encode(kernels, to.id, values.subarray(0, length), bytesOut, weights);
      decode(kernels, to.id, bytesOut, restored.subarray(0, length));
      errors.add(values.subarray(0, length), restored, source.name);
      await writer.write(bytesOut);
    }
    progress(bytesIn.length, source.name);
  }
  const { name, dims } = source;
  return { name, dims, from: from.name, to: to.name, bytes: blockBytes(to, count), ...errors.result() };
}

/** Elements that are converted at a time: whole rows, of one expert where there are several. */
function chunkLength(dims: readonly number[]): number {
  const [row, rows = 1] = dims;
  if (dims.length < 2) return Math.min(row, CHUNK_ELEMENTS);
  const rowsMax = Math.max(1, Math.floor(CHUNK_ELEMENTS / row));
  if (rowsMax >= rows) return row * rows;
  // A divisor, so that no chunk reaches over the end of an expert.
  let count = rowsMax;
  while (dims.length > 2 && rows % count !== 0) count--;
  return row * count;
}

/** Bytes of `elements`, a whole number of blocks. */
function blockBytes(type: { blockLength: number; blockBytes: number }, elements: number): number {
  return (elements / type.blockLength) * type.blockBytes;
}

function decode(kernels: QuantizeKernels, typeId: number, source: Uint8Array, target: Float32Array): void {
  if (typeId === TensorTypeId.F32) bytesOf(target).set(source);
  else kernels.dequantize(typeId, source, target);
}

function encode(
  kernels: QuantizeKernels,
  typeId: number,
  source: Float32Array,
  target: Uint8Array,
  importance: Float32Array | undefined,
): void {
  if (typeId === TensorTypeId.F32) target.set(bytesOf(source));
  else kernels.quantize(typeId, source, target, importance);
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Running sums for a tensor's error figures. */
class ErrorSums {
  #count = 0;
  #squares = 0;
  #errorSquares = 0;
  #max = 0;

  /** `restored` may be longer than `values`. */
  add(values: Float32Array, restored: Float32Array, name: string): void {
    let [squares, errorSquares, max] = [0, 0, 0];
    for (let i = 0; i < values.length; i++) {
      const error = Math.abs(values[i] - restored[i]);
      squares += values[i] * values[i];
      errorSquares += error * error;
      if (error > max) max = error;
    }
    if (!Number.isFinite(squares + errorSquares)) {
      throw new GgufError(
        `tensor ${quote(name)} holds weights that are not finite, or too large for the format`,
      );
    }
    this.#count += values.length;
    this.#squares += squares;
    this.#errorSquares += errorSquares;
    this.#max = Math.max(this.#max, max);
  }

  result(): { rmsError: number; maxError: number; relativeError: number } {
    const rmsError = Math.sqrt(this.#errorSquares / Math.max(1, this.#count));
    const relativeError = this.#squares === 0 ? 0 : Math.sqrt(this.#errorSquares / this.#squares);
    return { rmsError, maxError: this.#max, relativeError };
  }
}
