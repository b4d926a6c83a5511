import { weightFormats } from "../ffi/symbols.ts";
import { GgufError } from "./error.ts";
import { tensorType, TensorTypeId } from "./tensor_types.ts";

/** Formats that a model's matrices can be in, by the name used on the command line. */
export type WeightFormatName = keyof typeof weightFormats;

/** Those of them that weights can be converted to; the others are only read. */
export type FormatName = {
  [Name in WeightFormatName]: (typeof weightFormats)[Name]["written"] extends true ? Name : never;
}[WeightFormatName];

/** All {@linkcode WeightFormatName}s. */
export const weightFormatNames: readonly WeightFormatName[] = Object.keys(
  weightFormats,
) as WeightFormatName[];

/** All {@linkcode FormatName}s. */
export const formatNames: readonly FormatName[] = weightFormatNames.filter((name): name is FormatName =>
  weightFormats[name].written
);

// Values of general.file_type: what all of the file's matrices are. Source: llama.cpp's llama_ftype, where the K
// formats used throughout are called "small".
const FILE_TYPES: Readonly<Record<WeightFormatName, number>> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q5_0: 8,
  q5_1: 9,
  q8_0: 7,
  q2_k: 10,
  q3_k: 11,
  q4_k: 14,
  q5_k: 16,
  q6_k: 18,
  iq2_xxs: 19,
  iq2_xs: 20,
  iq3_xxs: 23,
  iq1_s: 24,
  iq4_nl: 25,
  iq3_s: 26,
  iq2_s: 28,
  iq4_xs: 30,
  mxfp4: 38,
  iq1_m: 31,
  bf16: 32,
  tq1_0: 36,
  tq2_0: 37,
};

/** Checks the name of a format to write in any case, as in `Q4_K`. Throws {@linkcode GgufError} that lists the names. */
export function parseFormat(name: string): FormatName {
  return oneOf(formatNames, name);
}

/** As {@linkcode parseFormat}, of formats that are only read, too. */
export function parseWeightFormat(name: string): WeightFormatName {
  return oneOf(weightFormatNames, name);
}

function oneOf<Name extends string>(names: readonly Name[], name: string): Name {
  const found = names.find((format) => format === name.toLowerCase());
  if (found === undefined) {
    throw new GgufError(`expected one of the formats ${names.join(", ")}, current value is ${name}`);
  }
  return found;
}

/** The tensor type id of a format. */
export function formatTypeId(format: WeightFormatName): number {
  return weightFormats[format].id;
}

/** The value of `general.file_type` for a file whose matrices are in `format`. */
export function fileTypeOf(format: WeightFormatName): number {
  return FILE_TYPES[format];
}

/**
 * The tensor type in which a tensor of `dims` is stored when `format` is wanted: vectors (norms, biases) stay F32, and
 * a matrix whose rows are not whole blocks takes Q8_0, or F16 where that does not fit either.
 */
export function storageTypeId(format: WeightFormatName, dims: readonly number[]): number {
  if (dims.length < 2) return TensorTypeId.F32;
  const wanted = formatTypeId(format);
  const fits = (id: number) => dims[0] % tensorType(id).blockLength === 0;
  return [wanted, TensorTypeId.Q8_0].find(fits) ?? TensorTypeId.F16;
}
