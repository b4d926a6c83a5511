/**
 * BPE over characters ("gemma4"): spaces written as ▁, the text cut at ends of lines and nowhere else,
 * characters merged by the rank of published merges; characters without a token become byte tokens <0xXX>.
 */

import { readByteIds } from "./byte_tokens.ts";
import { readMerges } from "./merge_reader.ts";
import { Merger } from "./merger.ts";
import type { Metadata } from "./metadata.ts";
import type { TokenizerModel } from "./model.ts";
import { splitWords } from "./pre_tokenizer.ts";
import { scanLines } from "./run_scanners.ts";
import { bytesOfPiece, SPACE_MARK } from "./pieces.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";

const SCRATCH_SYMBOLS = 4096;
const encoder = new TextEncoder();

export class CharacterPairModel implements TokenizerModel {
  readonly stripsLeadingSpace = false;
  readonly #vocabulary: Vocabulary;
  readonly #merger: Merger;
  readonly #byteIds: Int32Array;
  readonly #unknown: number | undefined;

  /**
   * Throws TokenizerError when the merges are missing, malformed or name tokens that the vocabulary lacks.
   */
  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#merger = new Merger({ pairs: readMerges(metadata, vocabulary) });
    this.#byteIds = readByteIds(vocabulary);
    const unknown = vocabulary.special.unknown;
    this.#unknown = unknown !== undefined && vocabulary.kinds[unknown] !== TokenKind.control
      ? unknown
      : undefined;
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    const escaped = text.slice(start, end).replaceAll(" ", SPACE_MARK);
    splitWords([scanLines], escaped, 0, escaped.length, (from, to) => {
      const isLines = escaped.charCodeAt(from) === 0x0a;
      const whole = isLines ? this.#vocabulary.lookup(escaped.slice(from, to)) : undefined;
      if (whole !== undefined) ids.push(whole);
      else this.#encodePart(escaped, from, to, ids);
    });
    this.#merger.trim(SCRATCH_SYMBOLS);
  }

  bytesOf(id: number): Uint8Array {
    return bytesOfPiece(this.#vocabulary, id);
  }

  /** Symbols are token ids, or -2 - code point where a character has no token: those merge with nothing. */
  #encodePart(text: string, start: number, end: number, ids: number[]): void {
    const symbols = this.#merger.symbols(end - start);
    let count = 0;
    for (let at = start; at < end;) {
      const code = text.codePointAt(at)!;
      const character = String.fromCodePoint(code);
      symbols[count++] = this.#vocabulary.lookup(character) ?? -2 - code;
      at += character.length;
    }
    const merged = this.#merger.merge(count);
    for (let i = 0; i < merged; i++) {
      if (symbols[i] >= 0) ids.push(symbols[i]);
      else this.#pushBytes(String.fromCodePoint(-2 - symbols[i]), ids);
    }
  }

  #pushBytes(character: string, ids: number[]): void {
    for (const byte of encoder.encode(character)) {
      if (this.#byteIds[byte] >= 0) ids.push(this.#byteIds[byte]);
      else if (this.#unknown !== undefined) ids.push(this.#unknown);
    }
  }
}
