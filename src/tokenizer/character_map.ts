/**
 * The table of replaced characters that SentencePiece compiles into a model: a double array trie over UTF-8
 * whose values are offsets into a list of texts that end in zeros. Kudo & Richardson 2018; the trie's layout
 * is that of darts-clone.
 */

import { TokenizerError } from "./error.ts";

const KEY = "tokenizer.ggml.precompiled_charsmap";

/** What replaces the longest known beginning of a text. */
export interface Replacement {
  /** Bytes that are replaced. */
  readonly length: number;
  readonly text: string;
}

export class CharacterMap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;

  /** Throws TokenizerError for a table that is cut off. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const trieBytes = bytes.length < 4 ? NaN : view.getUint32(0, true);
    // A trie has at least its root.
    if (!(trieBytes >= 4 && trieBytes % 4 === 0 && 4 + trieBytes < bytes.length)) {
      throw new TokenizerError(
        `${KEY} must begin with the size of its trie: it has ${bytes.length} bytes, the size is ${trieBytes}`,
      );
    }
    this.#units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + i * 4, true));
    this.#texts = bytes.subarray(4 + trieBytes);
  }

  /**
   * The replacement of the longest entry that `bytes` has at `at`, or undefined. Throws TokenizerError for a
   * broken table.
   */
  longest(bytes: Uint8Array, at: number): Replacement | undefined {
    let node = this.#offset(this.#unit(0));
    let length = 0;
    let text = 0;
    for (let i = at; i < bytes.length && bytes[i] !== 0; i++) {
      node ^= bytes[i];
      const unit = this.#unit(node);
      if ((unit & 0x800000ff) !== bytes[i]) break;
      node ^= this.#offset(unit);
      if ((unit & 0x100) === 0) continue;
      length = i + 1 - at;
      text = this.#unit(node) & 0x7fffffff;
    }
    return length === 0 ? undefined : { length, text: this.#textAt(text) };
  }

  #unit(index: number): number {
    if (index < 0 || index >= this.#units.length) {
      throw new TokenizerError(`${KEY} is damaged: it refers to node ${index} of ${this.#units.length}`);
    }
    return this.#units[index];
  }

  /** How far a node's children are from it; large distances are stored in units of 256. */
  #offset(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }

  #textAt(offset: number): string {
    const end = this.#texts.indexOf(0, offset);
    if (offset >= this.#texts.length || end < 0) {
      throw new TokenizerError(
        `${KEY} is damaged: it refers to a text at ${offset} of ${this.#texts.length} bytes`,
      );
    }
    return new TextDecoder().decode(this.#texts.subarray(offset, end));
  }
}
