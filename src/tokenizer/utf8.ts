/**
 * The continuation byte that may follow a lead byte and is narrower than 0x80 to 0xbf: [lead, lowest,
 * highest].
 */
const NARROW: Readonly<Record<number, readonly [number, number]>> = {
  0xe0: [0xa0, 0xbf],
  0xed: [0x80, 0x9f],
  0xf0: [0x90, 0xbf],
  0xf4: [0x80, 0x8f],
};

/**
 * Follows UTF-8 byte by byte and says where in the decoded text each byte is. Bytes that are no UTF-8 count
 * as decoders write them: one U+FFFD for each longest beginning of a character. WHATWG Encoding, "UTF-8
 * decoder".
 */
export class Utf8Scanner {
  /** Continuation bytes that the character still lacks. */
  #missing = 0;
  #low = 0x80;
  #high = 0xbf;
  #isPair = false;
  /** Characters that have begun, and those of two UTF-16 units before the last of them. */
  #begun = 0;
  #pairs = 0;

  /** Takes the next byte. */
  push(byte: number): void {
    if (this.#missing > 0 && byte >= this.#low && byte <= this.#high) {
      this.#missing--;
      this.#low = 0x80;
      this.#high = 0xbf;
      return;
    }
    if (this.#isPair && this.#missing === 0) this.#pairs++;
    this.#begun++;
    this.#missing = continuationBytes(byte);
    this.#isPair = this.#missing === 3;
    [this.#low, this.#high] = NARROW[byte] ?? [0x80, 0xbf];
  }

  /** Whether the last character lacks bytes. */
  get isInCharacter(): boolean {
    return this.#missing > 0;
  }

  /** Code points before the character that the last byte is in. */
  get character(): number {
    return this.#begun - 1;
  }

  /** UTF-16 units before the character that the last byte is in. */
  get unit(): number {
    return this.#begun - 1 + this.#pairs;
  }

  /** Code points before what comes next; a character that lacks bytes may be what comes. */
  get nextCharacter(): number {
    return this.#missing > 0 ? this.#begun - 1 : this.#begun;
  }

  /** As {@linkcode Utf8Scanner.nextCharacter}, in UTF-16 units. */
  get nextUnit(): number {
    if (this.#missing > 0) return this.unit;
    return this.#begun + this.#pairs + (this.#isPair ? 1 : 0);
  }
}

/** Bytes that follow a lead byte; 0 for bytes that begin no character of several. */
function continuationBytes(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 1;
  if (lead >= 0xe0 && lead <= 0xef) return 2;
  return lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
}

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Bytes as a text to show: what they say, or, where they are not whole characters, `bytes:` and each of them,
 * printable ASCII as it is and anything else as `\xe3`. Different bytes give different texts, but for texts
 * that begin with `bytes:` themselves.
 */
export function printableBytes(bytes: Iterable<number>): string {
  const all = Uint8Array.from(bytes);
  try {
    return strict.decode(all);
  } catch {
    const shown = Array.from(
      all,
      (byte) => byte > 0x1f && byte < 0x7f && byte !== 0x5c ? ascii(byte) : hex(byte),
    );
    return `bytes:${shown.join("")}`;
  }
}

function ascii(byte: number): string {
  return String.fromCharCode(byte);
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
