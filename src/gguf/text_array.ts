/**
 * Arrays of strings as bytes. A vocabulary has a hundred thousand texts and several times as many merges: making
 * strings of them takes a cold program longer than all else that it does with them, and most are never read.
 * @module
 */

/** Bytes before each text, where a file has its length. */
export const GAP_BYTES = 8;

/**
 * As many bytes that end with what they begin with nowhere: wherever it is found between two texts, it is the
 * whole of it and no end of one with the beginning of the other.
 */
const SEPARATOR = "\0\0\0\0\0\0\0\x01";
/** Its second half as a u32 of the other byte order; the first is 0. */
const SEPARATOR_END = 1;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Texts in UTF-8, one behind the other. Immutable. */
export class TextArray {
  /** All texts, each behind {@linkcode GAP_BYTES} that belong to none. */
  readonly bytes: Uint8Array;
  /** Where each text ends. */
  readonly ends: Uint32Array;
  /** Bytes of the longest text. */
  readonly bytesMax: number;
  #strings: string[] | undefined;

  private constructor(bytes: Uint8Array, ends: Uint32Array, bytesMax: number, strings?: string[]) {
    this.bytes = bytes;
    this.ends = ends;
    this.bytesMax = bytesMax;
    this.#strings = strings;
  }

  /**
   * Takes the bytes over and writes into the gaps. Gives the index of a text that is not UTF-8 where there is
   * one.
   */
  static from(bytes: Uint8Array, ends: Uint32Array): TextArray | number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let bytesMax = 0;
    for (let i = 0, gap = 0; i < ends.length; i++) {
      // The gap ends a character that lacks bytes: all can be checked at once.
      view.setUint32(gap, 0);
      view.setUint32(gap + 4, SEPARATOR_END);
      const length = ends[i] - gap - GAP_BYTES;
      if (length > bytesMax) bytesMax = length;
      gap = ends[i];
    }
    const texts = new TextArray(bytes, ends, bytesMax);
    return isUtf8(bytes) ? texts : ends.findIndex((_, i) => !isUtf8(texts.#part(i)));
  }

  /** Of strings, in which unpaired surrogates become U+FFFD. */
  static of(strings: readonly string[]): TextArray {
    const parts = strings.map((text) => encoder.encode(text));
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + GAP_BYTES + length, 0));
    const ends = new Uint32Array(parts.length);
    let end = 0, bytesMax = 0;
    for (const [i, part] of parts.entries()) {
      bytes.set(part, end + GAP_BYTES);
      ends[i] = end += GAP_BYTES + part.length;
      bytesMax = Math.max(bytesMax, part.length);
    }
    return new TextArray(bytes, ends, bytesMax, [...strings]);
  }

  get length(): number {
    return this.ends.length;
  }

  /** Where a text begins. */
  startOf(index: number): number {
    return (index === 0 ? 0 : this.ends[index - 1]) + GAP_BYTES;
  }

  /** Bytes of a text. */
  bytesOf(index: number): number {
    return this.ends[index] - this.startOf(index);
  }

  /** Whether a text has the first `length` of these bytes. */
  has(index: number, bytes: Uint8Array, length: number): boolean {
    const start = this.startOf(index);
    if (this.ends[index] - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[start + i] !== bytes[i]) return false;
    return true;
  }

  /** One text. */
  at(index: number): string {
    return this.#strings?.[index] ?? decoder.decode(this.#part(index));
  }

  /** All texts. Made once, by one call of the decoder: one for each text takes ten times as long. */
  strings(): string[] {
    return this.#strings ??= this.#split();
  }

  #split(): string[] {
    const parts = decoder.decode(this.bytes).split(SEPARATOR);
    // As many parts as texts, and the nothing before the first: no text has a separator inside.
    if (parts.length === this.length + 1) return parts.slice(1);
    return Array.from(this.ends, (_, i) => decoder.decode(this.#part(i)));
  }

  #part(index: number): Uint8Array {
    return this.bytes.subarray(this.startOf(index), this.ends[index]);
  }
}

/** Bytes checked at a time: the decoder's text, which nobody wants, stays small. */
const CHECKED_BYTES = 1 << 16;

function isUtf8(bytes: Uint8Array): boolean {
  const checker = new TextDecoder("utf-8", { fatal: true });
  try {
    for (let at = 0; at < bytes.length; at += CHECKED_BYTES) {
      checker.decode(bytes.subarray(at, at + CHECKED_BYTES), { stream: true });
    }
    checker.decode(); // a character may lack its end
    return true;
  } catch {
    return false;
  }
}
