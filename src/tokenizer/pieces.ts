/** Pieces of SentencePiece: texts in which ▁ stands for a space. @module */

import { byteOf } from "./byte_tokens.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";

/** What stands for a space. */
export const SPACE_MARK = "\u2581";

const encoder = new TextEncoder();

/** Bytes that a normal or byte token stands for. */
export function bytesOfPiece({ texts, kinds }: Vocabulary, id: number): Uint8Array {
  const byte = kinds[id] === TokenKind.byte ? byteOf(texts.at(id)) : undefined;
  return byte !== undefined ? Uint8Array.of(byte) : encoder.encode(texts.at(id).replaceAll(SPACE_MARK, " "));
}
