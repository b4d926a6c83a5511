/** Tokens of single bytes, for what no other token has: <0x00> to <0xFF>. @module */

import { TokenKind, type Vocabulary } from "./vocabulary.ts";

/** Bytes of UTF-8 in the text of such a token. */
const BYTE_TOKEN_BYTES = "<0x0A>".length;

/** The byte that a token such as <0x0A> stands for, or undefined. */
export function byteOf(text: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(text);
  return hex === null ? undefined : parseInt(hex[1], 16);
}

/** Ids of the tokens of bytes, by byte; -1 where there is none. */
export function readByteIds({ texts, kinds }: Vocabulary): Int32Array {
  const ids = new Int32Array(256).fill(-1);
  for (let id = 0; id < texts.length; id++) {
    if (texts.bytesOf(id) !== BYTE_TOKEN_BYTES) continue;
    const byte = byteOf(texts.at(id));
    if (byte === undefined) continue;
    if (ids[byte] < 0 || kinds[id] === TokenKind.byte) ids[byte] = id;
  }
  return ids;
}
