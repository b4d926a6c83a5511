import { activationForms, weightFormats } from "../ffi/symbols.ts";
import { tensorType } from "../gguf/tensor_types.ts";

const FORM_OF_FORMAT: ReadonlyMap<number, number> = new Map(
  Object.values(weightFormats).map(({ id, activation }) => [id, activationForms[activation]]),
);

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
