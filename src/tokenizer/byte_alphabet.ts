/**
 * The printable alphabet of byte-level BPE vocabularies: each of the 256 bytes as one character, printable
 * ASCII and Latin-1 as themselves, the other 68 as U+0100… in order. Radford et al. 2019 (GPT-2).
 */

/** Character code of each byte. */
export const BYTE_TO_CODE: Uint16Array = buildCodes();

/** Byte of each character code below 0x144; -1 for codes outside the alphabet. */
export const CODE_TO_BYTE: Int16Array = invert(BYTE_TO_CODE);

/** Bytes written in the alphabet. */
export function bytesToAlphabet(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(BYTE_TO_CODE[byte]);
  return text;
}

/** Bytes that a text of the alphabet stands for; characters outside of it stand for their own UTF-8 bytes. */
export function alphabetToBytes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const byte = code < CODE_TO_BYTE.length ? CODE_TO_BYTE[code] : -1;
    if (byte >= 0) bytes.push(byte);
    else bytes.push(...new TextEncoder().encode(character));
  }
  return Uint8Array.from(bytes);
}

function buildCodes(): Uint16Array {
  const codes = new Uint16Array(256);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    codes[byte] = printable ? byte : next++;
  }
  return codes;
}

function invert(codes: Uint16Array): Int16Array {
  const bytes = new Int16Array(0x144).fill(-1);
  codes.forEach((code, byte) => bytes[code] = byte);
  return bytes;
}
