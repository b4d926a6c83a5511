/**
 * Byte-level BPE ("gpt2"): words from a pre-tokenizer, their UTF-8 bytes merged by the rank of published
 * merges.
 */

import { alphabetToBytes, BYTE_TO_CODE, bytesToAlphabet } from "./byte_alphabet.ts";
import { readMerges } from "./merge_reader.ts";
import { Merger } from "./merger.ts";
import type { Metadata } from "./metadata.ts";
import type { TokenizerModel } from "./model.ts";
import { type PreTokenizer, splitWords } from "./pre_tokenizer.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";
import { WordCache } from "./word_cache.ts";

const SCRATCH_SYMBOLS = 4096;
const encoder = new TextEncoder();

export class BytePairModel implements TokenizerModel {
  readonly stripsLeadingSpace = false;
  readonly #vocabulary: Vocabulary;
  readonly #preTokenizer: PreTokenizer;
  readonly #merger: Merger;
  readonly #byteIds: Int32Array;
  readonly #unknown: number | undefined;
  readonly #cache = new WordCache();
  #bytes = new Uint8Array(SCRATCH_SYMBOLS);

  /**
   * Throws TokenizerError when the merges are missing, malformed or name tokens that the vocabulary lacks.
   */
  constructor(metadata: Metadata, vocabulary: Vocabulary, preTokenizer: PreTokenizer) {
    this.#vocabulary = vocabulary;
    this.#preTokenizer = preTokenizer;
    this.#merger = new Merger({ pairs: readMerges(metadata, vocabulary) });
    this.#byteIds = Int32Array.from(
      BYTE_TO_CODE,
      (code) => vocabulary.lookup(String.fromCharCode(code)) ?? -1,
    );
    // A byte without a token becomes the unknown token, unless that is a control token such as <|endoftext|>.
    const unknown = vocabulary.special.unknown;
    this.#unknown = unknown !== undefined && vocabulary.kinds[unknown] !== TokenKind.control
      ? unknown
      : undefined;
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    splitWords(this.#preTokenizer.scanners, text, start, end, (from, to) => {
      const word = text.slice(from, to);
      const isShort = word.length <= WordCache.unitsMax;
      const known = isShort ? this.#cache.get(word) : undefined;
      if (known !== undefined) {
        for (const id of known) ids.push(id);
        return;
      }
      const first = ids.length;
      this.#encodeWord(word, ids);
      if (isShort) this.#cache.set(word, ids.slice(first));
    });
    this.#trim();
  }

  bytesOf(id: number): Uint8Array {
    return alphabetToBytes(this.#vocabulary.texts.at(id));
  }

  #encodeWord(word: string, ids: number[]): void {
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    if (this.#bytes.length < word.length * 3) this.#bytes = new Uint8Array(word.length * 3);
    const count = encoder.encodeInto(word, this.#bytes).written;
    if (this.#preTokenizer.ignoreMerges && count <= this.#vocabulary.texts.bytesMax) {
      const whole = this.#vocabulary.lookup(bytesToAlphabet(this.#bytes.subarray(0, count)));
      if (whole !== undefined) {
        ids.push(whole);
        return;
      }
    }
    const symbols = this.#merger.symbols(count);
    for (let i = 0; i < count; i++) symbols[i] = this.#byteIds[this.#bytes[i]];
    const merged = this.#merger.merge(count);
    for (let i = 0; i < merged; i++) {
      if (symbols[i] >= 0) ids.push(symbols[i]);
      else if (this.#unknown !== undefined) ids.push(this.#unknown);
    }
  }

  #trim(): void {
    this.#merger.trim(SCRATCH_SYMBOLS);
    if (this.#bytes.length > SCRATCH_SYMBOLS * 3) this.#bytes = new Uint8Array(SCRATCH_SYMBOLS);
  }
}
