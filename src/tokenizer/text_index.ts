/**
 * Token ids by their texts. Llama 3 has 280,000 merges of 128,000 tokens; slices of strings as keys of a Map
 * take half a second, so tokens are found by a rolling hash of bytes, without making strings, and in one typed array:
 * what a look-up touches lies together.
 * @module
 */

import type { TextArray } from "../gguf/text_array.ts";

/** Of each place in the table: id + 1 or 0, both halves of the hash, bytes of the text. */
const WORDS = 4;
/** What each half of the hash is multiplied by before the next byte is added. */
const LOW_FACTOR = 0x01000193, HIGH_FACTOR = 0x5bd1e995;

/**
 * Token ids by a rolling hash of 64 bits and the length of their text in UTF-8; the first of equal texts wins. Texts
 * are not compared: where a file is made to collide, another of its tokens is found.
 */
export class TextIndex {
  readonly #table: Int32Array;
  readonly #mask: number;
  /** Both factors to the power of each length. */
  readonly #lowPowers: Int32Array;
  readonly #highPowers: Int32Array;
  #hashLow = 0;
  #hashHigh = 0;
  #length = 0;
  #markedLow = 0;
  #markedHigh = 0;
  #markedLength = 0;

  constructor(texts: TextArray) {
    const capacity = 1 << Math.ceil(Math.log2(texts.length * 2 + 1));
    const table = this.#table = new Int32Array(capacity * WORDS);
    this.#mask = capacity - 1;
    this.#lowPowers = powersOf(LOW_FACTOR, texts.bytesMax);
    this.#highPowers = powersOf(HIGH_FACTOR, texts.bytesMax);
    const { bytes } = texts;
    for (let id = 0; id < texts.length; id++) {
      this.start().take(bytes, texts.startOf(id), texts.ends[id]);
      const at = this.#place();
      if (table[at] !== 0) continue;
      table[at] = id + 1;
      table[at + 1] = this.#hashLow;
      table[at + 2] = this.#hashHigh;
      table[at + 3] = this.#length;
    }
  }

  /** Begins a new text. */
  start(): this {
    this.#hashLow = this.#hashHigh = this.#length = 0;
    return this;
  }

  /** Appends bytes[start, end) to the text asked for. */
  take(bytes: Uint8Array, start: number, end: number): this {
    let low = this.#hashLow;
    let high = this.#hashHigh;
    for (let i = start; i < end; i++) {
      const code = bytes[i] + 1;
      low = Math.imul(low, LOW_FACTOR) + code | 0;
      high = Math.imul(high, HIGH_FACTOR) + code | 0;
    }
    this.#hashLow = low;
    this.#hashHigh = high;
    this.#length += end - start;
    return this;
  }

  /** Marks the end of what was taken so far. */
  mark(): this {
    this.#markedLow = this.#hashLow;
    this.#markedHigh = this.#hashHigh;
    this.#markedLength = this.#length;
    return this;
  }

  /** Leaves of the text only what was taken since the mark: its hash is what remains of the whole one's, so no byte is looked at twice. */
  sinceMark(): this {
    const length = this.#length -= this.#markedLength;
    // Longer than any token there is none: what the hash then is does not matter.
    this.#hashLow = this.#hashLow - Math.imul(this.#markedLow, this.#lowPowers[length]) | 0;
    this.#hashHigh = this.#hashHigh - Math.imul(this.#markedHigh, this.#highPowers[length]) | 0;
    return this;
  }

  /** Id of the token with the text taken so far, or -1. */
  find(): number {
    return this.#table[this.#place()] - 1;
  }

  #place(): number {
    const table = this.#table, low = this.#hashLow, high = this.#hashHigh, length = this.#length;
    for (let at = (low ^ (high >>> 15)) & this.#mask;; at = (at + 1) & this.#mask) {
      const place = at * WORDS;
      if (table[place] === 0) return place;
      if (table[place + 1] === low && table[place + 2] === high && table[place + 3] === length) return place;
    }
  }
}

/** Powers 0 to `most` of a factor, modulo 2³². */
function powersOf(factor: number, most: number): Int32Array {
  const powers = new Int32Array(most + 1).fill(1);
  for (let i = 1; i <= most; i++) powers[i] = Math.imul(powers[i - 1], factor);
  return powers;
}
