/**
 * Token ids by their texts. Llama 3 has 280,000 merges of 128,000 tokens; slices of strings as keys of a Map
 * take half a second, so tokens are found by a rolling hash without making strings, and in typed arrays.
 * @module
 */

/**
 * Token ids by a rolling hash of 64 bits and the length of their text; the first of equal texts wins. Texts
 * are not compared: where a file is made to collide, another of its tokens is found.
 */
export class TextIndex {
  readonly #slots: Int32Array;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  readonly #lengths: Int32Array;
  readonly #mask: number;
  #hashLow = 0;
  #hashHigh = 0;
  #length = 0;

  constructor(texts: readonly string[]) {
    const capacity = 1 << Math.ceil(Math.log2(texts.length * 2 + 1));
    this.#slots = new Int32Array(capacity).fill(-1);
    this.#low = new Int32Array(texts.length);
    this.#high = new Int32Array(texts.length);
    this.#lengths = new Int32Array(texts.length);
    this.#mask = capacity - 1;
    for (let id = 0; id < texts.length; id++) {
      this.start().take(texts[id], 0, texts[id].length);
      const at = this.#slot();
      if (this.#slots[at] !== -1) continue;
      this.#slots[at] = id;
      this.#low[id] = this.#hashLow;
      this.#high[id] = this.#hashHigh;
      this.#lengths[id] = this.#length;
    }
  }

  /** Begins a new text. */
  start(): this {
    this.#hashLow = this.#hashHigh = this.#length = 0;
    return this;
  }

  /** Appends text[start, end) to the text asked for. */
  take(text: string, start: number, end: number): this {
    let low = this.#hashLow;
    let high = this.#hashHigh;
    for (let i = start; i < end; i++) {
      const code = text.charCodeAt(i) + 1;
      low = Math.imul(low, 0x01000193) + code | 0;
      high = Math.imul(high, 0x5bd1e995) + code | 0;
    }
    this.#hashLow = low;
    this.#hashHigh = high;
    this.#length += end - start;
    return this;
  }

  /** Id of the token with the text taken so far, or -1. */
  find(): number {
    return this.#slots[this.#slot()];
  }

  #slot(): number {
    for (let at = (this.#hashLow ^ (this.#hashHigh >>> 15)) & this.#mask;; at = (at + 1) & this.#mask) {
      const id = this.#slots[at];
      if (id === -1) return at;
      if (
        this.#low[id] === this.#hashLow && this.#high[id] === this.#hashHigh &&
        this.#lengths[id] === this.#length
      ) return at;
    }
  }
}
