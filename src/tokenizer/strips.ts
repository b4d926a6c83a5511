/**
 * Tokens that take white space beside them with them, as Phi-3's `<|user|>` does with the end of its line. GGUF has no
 * key for that: those read here are our own, written when a tokenizer.json is read.
 * @module
 */

import type { TextArray } from "../gguf/text_array.ts";
import { type Metadata, readIds, readString } from "./metadata.ts";

/** Ids of tokens that take the white space before them, and of those that take what is behind them. */
export interface Strips {
  readonly left: ReadonlySet<number>;
  readonly right: ReadonlySet<number>;
}

/** What the file says, or what is known of its models. `isSpecial`: whether text is searched for a token. */
export function readStrips(
  metadata: Metadata,
  texts: TextArray,
  isSpecial: (id: number) => boolean,
): Strips {
  const left = readIds(metadata, "kumi.lstrip", texts.length);
  const right = readIds(metadata, "kumi.rstrip", texts.length);
  const isPhi3 = metadata.get("general.architecture") === "phi3" && readString(metadata, "model") === "llama";
  if (left !== undefined || right !== undefined || !isPhi3) {
    return { left: new Set(left), right: new Set(right) };
  }
  const ids = texts.ends.keys().filter((id) => isSpecial(id) && !PHI3_KEEPS.has(texts.at(id)));
  return { left: new Set(), right: new Set(ids) };
}

/** Phi-3's tokens behind which white space stays. */
const PHI3_KEEPS = new Set(["<unk>", "<s>", "<|endoftext|>"]);

const SPACE = /\p{White_Space}/u;

/** Where the white space that begins at `at` ends, at most at `end`. */
export function spaceEnd(text: string, at: number, end: number): number {
  while (at < end && SPACE.test(text[at])) at++;
  return at;
}

/** Where the white space that ends at `at` begins, at least at `start`. */
export function spaceStart(text: string, at: number, start: number): number {
  while (at > start && SPACE.test(text[at - 1])) at--;
  return at;
}
