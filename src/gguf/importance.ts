/**
 * Importance matrices: how much each column of a matrix matters, as the mean square of what it multiplies over a text. The file is
 * llama.cpp's, a GGUF file of type "imatrix": for each matrix NAME the sums `NAME.in_sum2` [k, experts] and `NAME.counts` [1, experts].
 * @module
 */

import { arrayEntry, scalarEntry } from "./entries.ts";
import { GgufError, quote } from "./error.ts";
import { type GgufFile, openGguf, type OpenGgufOptions } from "./reader.ts";
import { TensorTypeId } from "./tensor_types.ts";
import type { MetadataEntry } from "./value_types.ts";
import { GgufWriter } from "./writer.ts";

const SUMS = ".in_sum2", COUNTS = ".counts";

/** What is known of one matrix. */
export interface ImportanceSums {
  /** Sums of squares by column, one expert after the other. */
  readonly sums: ArrayLike<number>;
  /** Tokens that were summed, one number for each expert. */
  readonly counts: ArrayLike<number>;
}

/** Contents of an importance file. */
export interface ImportanceContents {
  /** By the names of matrices. */
  readonly matrices: ReadonlyMap<string, ImportanceSums>;
  /** Names of the texts. */
  readonly datasets: readonly string[];
  /** Windows that were computed, and the tokens of each. */
  readonly chunks: number;
  readonly chunkTokens: number;
}

/** A tensor as far as importances go. */
interface Matrix {
  readonly name: string;
  readonly dims: readonly number[];
}

/** The importances of a model's matrices. */
export class ImportanceMatrix {
  /** The file's name, without its folder. */
  readonly name: string;
  readonly datasets: readonly string[];
  readonly chunks: number;
  readonly #means = new Map<string, Float32Array>();

  constructor(name: string, { matrices, datasets, chunks }: ImportanceContents) {
    this.name = name;
    this.datasets = datasets;
    this.chunks = chunks;
    for (const [matrix, sums] of matrices) this.#means.set(matrix, meansOf(name, matrix, sums));
  }

  /** Number of matrices. */
  get size(): number {
    return this.#means.size;
  }

  /** Of each column of the rows at `element` and after; undefined where nothing is known of the matrix. */
  at({ name, dims }: Matrix, element: number): Float32Array | undefined {
    const means = this.#means.get(name);
    if (means === undefined) return undefined;
    const [columns, rows = 1] = dims;
    const expert = Math.floor(element / (columns * rows));
    return means.subarray(expert * columns, (expert + 1) * columns);
  }

  /** Throws {@linkcode GgufError} where it cannot be of the model with these tensors. */
  check(tensors: readonly Matrix[], path: string): void {
    const known = tensors.filter(({ name }) => this.#means.has(name));
    if (known.length === 0) {
      throw new GgufError(`${this.name}: names none of the tensors of ${path}: it is of another model`);
    }
    for (const { name, dims: [columns, , experts = 1] } of known) {
      const length = this.#means.get(name)!.length;
      if (length === columns * experts) continue;
      throw new GgufError(
        `${this.name}: has ${length} importances for ${
          quote(name)
        }, which has ${columns} columns of ${experts} experts: ` +
          "it is of another model",
      );
    }
  }
}

/** An expert that saw no token has equal importances. */
function meansOf(path: string, matrix: string, { sums, counts }: ImportanceSums): Float32Array {
  const columns = sums.length / counts.length;
  const means = Float32Array.from(sums, (sum, i) => {
    const count = counts[Math.floor(i / columns)];
    return count > 0 ? sum / count : 1;
  });
  if (means.every((mean) => mean >= 0 && Number.isFinite(mean))) return means;
  throw new GgufError(`${path}: an importance of ${quote(matrix)} is negative or not finite`);
}

/** Reads an importance file. Throws {@linkcode GgufError} for one that is none. */
export async function readImportance(path: string, options: OpenGgufOptions = {}): Promise<ImportanceMatrix> {
  using file = await openGguf(path, options).catch((error) => {
    if (!(error instanceof GgufError)) throw error;
    const advice =
      "an importance matrix is a GGUF file; llama-imatrix --in-file OLD.dat -o NEW.gguf converts old ones";
    throw new GgufError(`${error.message} (${advice})`);
  });
  const { get, tensors } = file;
  const type = get.string("general.type", { fallback: "model" });
  if (type !== "imatrix") throw new GgufError(`${path}: is of type ${quote(type)}, not an importance matrix`);
  const matrices = new Map<string, ImportanceSums>();
  for (const name of tensors.keys()) {
    if (!name.endsWith(SUMS)) continue;
    const matrix = name.slice(0, -SUMS.length);
    const [sums, counts] = [floats(file, name), floats(file, matrix + COUNTS)];
    if (sums.length % counts.length !== 0) {
      throw new GgufError(
        `${path}: ${quote(matrix)} has ${sums.length} sums, not a multiple of its ${counts.length} counts`,
      );
    }
    matrices.set(matrix, { sums, counts });
  }
  if (matrices.size === 0) throw new GgufError(`${path}: holds no importances`);
  return new ImportanceMatrix(path.split("/").pop()!, {
    matrices,
    datasets: get.strings("imatrix.datasets", { fallback: [] }),
    chunks: get.u32("imatrix.chunk_count", { fallback: 0 }),
    chunkTokens: get.u32("imatrix.chunk_size", { fallback: 0 }),
  });
}

function floats(file: GgufFile, name: string): Float32Array {
  const { type, bytes } = file.tensor(name);
  if (type !== TensorTypeId.F32) throw new GgufError(`${file.path}: tensor ${quote(name)} is not F32`);
  const values = new Float32Array(bytes / Float32Array.BYTES_PER_ELEMENT);
  file.readInto(name, 0, new Uint8Array(values.buffer));
  return values;
}

/** Writes an importance file, which appears when it is complete. */
export async function writeImportance(path: string, contents: ImportanceContents): Promise<void> {
  const { matrices, datasets, chunks, chunkTokens } = contents;
  const sorted = [...matrices].sort(([a], [b]) => a < b ? -1 : 1);
  const tensors = sorted.flatMap(([name, { sums, counts }]) => [
    { name: name + SUMS, type: TensorTypeId.F32, dims: [sums.length / counts.length, counts.length] },
    { name: name + COUNTS, type: TensorTypeId.F32, dims: [1, counts.length] },
  ]);
  const entries = [
    scalarEntry("string", "general.type", "imatrix"),
    arrayEntry("string", "imatrix.datasets", [...datasets]),
    scalarEntry("u32", "imatrix.chunk_count", chunks),
    scalarEntry("u32", "imatrix.chunk_size", chunkTokens),
  ];
  await using writer = await GgufWriter.create(path, { entries, tensors });
  for (const [, { sums, counts }] of sorted) {
    for (const values of [sums, counts]) await writer.write(new Uint8Array(Float32Array.from(values).buffer));
  }
  await writer.finish();
}

/** What a quantised file says of the importances that it was made with, as llama.cpp's do. */
export function importanceEntries({ name, datasets, size, chunks }: ImportanceMatrix): MetadataEntry[] {
  return [
    scalarEntry("string", "quantize.imatrix.file", name),
    ...datasets.slice(0, 1).map((dataset) => scalarEntry("string", "quantize.imatrix.dataset", dataset)),
    scalarEntry("u32", "quantize.imatrix.entries_count", size),
    ...(chunks > 0 ? [scalarEntry("u32", "quantize.imatrix.chunks_count", chunks)] : []),
  ];
}
