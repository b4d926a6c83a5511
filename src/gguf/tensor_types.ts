import { weightFormats } from "../ffi/symbols.ts";
import { checkedMultiply, GgufError } from "./error.ts";

/** One storage format of tensor elements: rows are sequences of blocks of `blockLength` elements in `blockBytes` bytes. */
export interface TensorType {
  /** The id in the file. */
  readonly id: number;
  /** The field's name for it, as in `Q4_K`. */
  readonly name: string;
  readonly blockLength: number;
  readonly blockBytes: number;
}

// Every id that GGUF files use, so that `inspect` can describe a file whose formats have no kernel here.
// Source: the ggml tensor types and the sizes of their block structs.
const TABLE: readonly (readonly [number, string, number, number])[] = [
  [0, "F32", 1, 4],
  [1, "F16", 1, 2],
  [2, "Q4_0", 32, 18],
  [3, "Q4_1", 32, 20],
  [6, "Q5_0", 32, 22],
  [7, "Q5_1", 32, 24],
  [8, "Q8_0", 32, 34],
  [9, "Q8_1", 32, 36],
  [10, "Q2_K", 256, 84],
  [11, "Q3_K", 256, 110],
  [12, "Q4_K", 256, 144],
  [13, "Q5_K", 256, 176],
  [14, "Q6_K", 256, 210],
  [15, "Q8_K", 256, 292],
  [16, "IQ2_XXS", 256, 66],
  [17, "IQ2_XS", 256, 74],
  [18, "IQ3_XXS", 256, 98],
  [19, "IQ1_S", 256, 50],
  [20, "IQ4_NL", 32, 18],
  [21, "IQ3_S", 256, 110],
  [22, "IQ2_S", 256, 82],
  [23, "IQ4_XS", 256, 136],
  [24, "I8", 1, 1],
  [25, "I16", 1, 2],
  [26, "I32", 1, 4],
  [27, "I64", 1, 8],
  [28, "F64", 1, 8],
  [29, "IQ1_M", 256, 56],
  [30, "BF16", 1, 2],
  [34, "TQ1_0", 256, 54],
  [35, "TQ2_0", 256, 66],
  [39, "MXFP4", 32, 17],
  [40, "NVFP4", 64, 36],
  [41, "Q1_0", 128, 18],
];

/** Ids that once were in use and were taken back; files that hold them have to be converted again. */
const REMOVED: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [36, "IQ4_NL_4_4"],
  [37, "IQ4_NL_4_8"],
  [38, "IQ4_NL_8_8"],
]);

const BY_ID: ReadonlyMap<number, TensorType> = new Map(
  TABLE.map(([id, name, blockLength, blockBytes]) => [id, { id, name, blockLength, blockBytes }]),
);

const BY_NAME: ReadonlyMap<string, TensorType> = new Map(
  [...BY_ID.values()].map((type) => [type.name, type]),
);

/** All tensor types known to the reader, by ascending id. */
export const tensorTypes: readonly TensorType[] = [...BY_ID.values()];

/** Ids of the formats that kumi computes with, such as `TensorTypeId.Q4_K`. */
export const TensorTypeId = Object.fromEntries(
  Object.entries(weightFormats).map(([name, { id }]) => [name.toUpperCase(), id]),
) as { readonly [Name in keyof typeof weightFormats as Uppercase<Name>]: number };

/** The type with this id. Throws {@linkcode GgufError} for an id that is unknown or was taken out of use. */
export function tensorType(id: number): TensorType {
  const type = BY_ID.get(id);
  if (type !== undefined) return type;
  const removed = REMOVED.get(id);
  if (removed !== undefined) {
    throw new GgufError(`type ${id} (${removed}) is no longer in use: convert the model again`);
  }
  throw new GgufError(`unknown type id ${id}`);
}

/** The type of this name in any case (`q4_k`, `Q4_K`), or undefined. */
export function tensorTypeByName(name: string): TensorType | undefined {
  return BY_NAME.get(name.toUpperCase());
}

/**
 * Bytes of a tensor. `dims`: elements per dimension, fastest first; each must be a positive safe integer.
 * Throws {@linkcode GgufError} on overflow, or when a row is not a whole number of blocks.
 */
export function tensorBytes(type: TensorType, dims: readonly number[]): number {
  const row = dims[0] ?? 1;
  if (row % type.blockLength !== 0) {
    throw new GgufError(
      `a row of ${row} elements is not a multiple of ${type.name}'s block of ${type.blockLength}`,
    );
  }
  let rows = 1;
  for (const dim of dims.slice(1)) rows = checkedMultiply(rows, dim, "the number of rows");
  const rowBytes = checkedMultiply(row / type.blockLength, type.blockBytes, "the size of a row");
  checkedMultiply(rows, row, "the number of elements");
  return checkedMultiply(rowBytes, rows, "the size in bytes");
}

/** Number of elements of a tensor whose dims passed {@linkcode tensorBytes}. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}
