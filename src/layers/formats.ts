import { weightFormats } from "../ffi/symbols.ts";
import { tensorType } from "../gguf/tensor_types.ts";

/** How activations are rounded before they meet weights of a format. */
export type ActivationKind = (typeof weightFormats)[keyof typeof weightFormats]["activation"];

const ACTIVATION_OF_FORMAT: ReadonlyMap<number, ActivationKind> = new Map(
  Object.values(weightFormats).map(({ id, activation }) => [id, activation]),
);

/** Names of the supported weight formats, for messages. */
export const WEIGHT_FORMAT_NAMES: readonly string[] = [...ACTIVATION_OF_FORMAT.keys()].map((id) =>
  tensorType(id).name
);

/** Whether the kernels multiply weights of this format. */
export function isWeightFormat(format: number): boolean {
  return ACTIVATION_OF_FORMAT.has(format);
}

/** The activation that weights of `format` multiply. Throws a RangeError for a format without kernels. */
export function activationKindOf(format: number): ActivationKind {
  const kind = ACTIVATION_OF_FORMAT.get(format);
  if (kind === undefined) throw new RangeError(`No kernels for weight format ${format}`);
  return kind;
}
