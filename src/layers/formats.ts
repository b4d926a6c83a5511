import { activationForms, limits, weightFormats } from "../ffi/symbols.ts";
import { tensorType } from "../gguf/tensor_types.ts";

const FORM_OF_FORMAT: ReadonlyMap<number, number> = new Map(
  Object.values(weightFormats).map(({ id, activation }) => [id, activationForms[activation]]),
);

const FORMATS: ReadonlyMap<number, (typeof weightFormats)[keyof typeof weightFormats]> = new Map(
  Object.values(weightFormats).map((format) => [format.id, format]),
);

/**
 * Bytes that a tensor of a file takes once it is loaded: a matrix in panels of 16 rows, in a layout that may need more than
 * the file's, a vector in f32. `dims`: elements per dimension, fastest first.
 */
export function memoryBytes(type: number, dims: readonly number[]): number {
  const [k, ...rows] = dims;
  const format = FORMATS.get(type);
  if (rows.length === 0 || format === undefined) return k * Float32Array.BYTES_PER_ELEMENT;
  const panels = Math.ceil(rows.reduce((product, n) => product * n, 1) / limits.panelRows);
  const panelBytes = Math.ceil(k / format.panelLength) * format.panelBytes;
  return panels * Math.ceil(panelBytes / limits.unitBytes) * limits.unitBytes;
}

/** Names of the supported weight formats, for messages. */
export const WEIGHT_FORMAT_NAMES: readonly string[] = [...FORM_OF_FORMAT.keys()].map((id) =>
  tensorType(id).name
);

/** Whether the kernels multiply weights of this format. */
export function isWeightFormat(format: number): boolean {
  return FORM_OF_FORMAT.has(format);
}

/**
 * The form of activations that weights of `format` multiply, a bit of `activationForms`: how they are rounded before. Throws a
 * RangeError for a format without kernels.
 */
export function activationFormOf(format: number): number {
  const form = FORM_OF_FORMAT.get(format);
  if (form === undefined) throw new RangeError(`No kernels for weight format ${format}`);
  return form;
}
