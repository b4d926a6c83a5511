/** The space that models of pieces put before a text. @module */

import { TokenizerError } from "./error.ts";
import { type Metadata, readBoolean, readString } from "./metadata.ts";

/** Whether the part of a text that begins at `start` gets a space. */
export type SpacePrefix = (text: string, start: number) => boolean;

/**
 * Reads `add_space_prefix`, and a key of our own that says more: `missing` where a part of a text begins with no space,
 * `first` the same only at the beginning of the whole text. Throws TokenizerError.
 */
export function readSpacePrefix(
  metadata: Metadata,
): { readonly isAdded: boolean; readonly isDue: SpacePrefix } {
  const isAdded = readBoolean(metadata, "add_space_prefix") ?? true;
  const scheme = readString(metadata, "kumi.space_prefix") ?? "always";
  if (!["always", "missing", "first"].includes(scheme)) {
    throw new TokenizerError(
      `tokenizer.ggml.kumi.space_prefix must be "always", "missing" or "first": current value is ${
        JSON.stringify(scheme)
      }`,
    );
  }
  const isMissing: SpacePrefix = (text, start) => !" \u2581".includes(text[start]);
  const isDue: SpacePrefix = !isAdded
    ? () => false
    : scheme === "always"
    ? () => true
    : scheme === "missing"
    ? isMissing
    : (text, start) => start === 0 && isMissing(text, start);
  return { isAdded, isDue };
}
