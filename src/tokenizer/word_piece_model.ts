/**
 * WordPiece ("bert"): words of a text in lower case and without accents, each cut into the longest tokens from
 * its beginning on; a word for which there are none becomes the unknown token. Files write a word's first piece
 * with ▁ before it and the others bare. Schuster & Nakajima 2012, Devlin et al. 2019.
 */

import { type Metadata, readBoolean } from "./metadata.ts";
import { TokenizerError } from "./error.ts";
import type { TokenizerModel } from "./model.ts";
import { bytesOfPiece, SPACE_MARK } from "./pieces.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A longer word, in code points, is unknown without a look at its pieces. */
const WORD_CODES_MAX = 100;

/** Ideographs, each of which is a word of its own. Kana and Hangul are not among them. */
const IDEOGRAPH =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
/** What no word has: all but white space that is a control character, and the sign of lost characters. */
const DROPPED = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu;
const ACCENTS = /\p{Mn}/gu;
/** Signs that are words of their own: all of ASCII's, elsewhere what Unicode calls punctuation. */
const WORDS = /[!-/:-@[-`{-~\p{P}]|[^\p{White_Space}!-/:-@[-`{-~\p{P}]+/gu;

export class WordPieceModel implements TokenizerModel {
  readonly stripsLeadingSpace = true;
  readonly #vocabulary: Vocabulary;
  readonly #lowersCase: boolean;
  readonly #stripsAccents: boolean;
  readonly #unknown: number;

  /** Throws TokenizerError for settings of wrong types, and where there is no unknown token. */
  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#lowersCase = readBoolean(metadata, "normalizer.lowercase") ?? true;
    this.#stripsAccents = readBoolean(metadata, "normalizer.strip_accents") ?? this.#lowersCase;
    if (vocabulary.special.unknown === undefined) {
      throw new TokenizerError("tokenizer.ggml.unknown_token_id is missing: WordPiece needs it");
    }
    this.#unknown = vocabulary.special.unknown;
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    for (const [word] of this.#normalize(text.slice(start, end)).matchAll(WORDS)) this.#encodeWord(word, ids);
  }

  bytesOf(id: number): Uint8Array {
    return bytesOfPiece(this.#vocabulary, id);
  }

  #normalize(text: string): string {
    let normal = text.replaceAll(DROPPED, "").replaceAll(IDEOGRAPH, " $& ");
    if (this.#stripsAccents) normal = normal.normalize("NFD").replaceAll(ACCENTS, "");
    if (!this.#lowersCase) return normal;
    // One by one: what stands around a character is not looked at, so there is no final sigma.
    return normal.replaceAll(/\p{Changes_When_Lowercased}/gu, (character) => character.toLowerCase());
  }

  #encodeWord(word: string, ids: number[]): void {
    const isLong = word.length > WORD_CODES_MAX && [...word].length > WORD_CODES_MAX;
    // A ▁ of the text itself must not pass for the beginning of a word.
    if (isLong || word.includes(SPACE_MARK)) {
      ids.push(this.#unknown);
      return;
    }
    const first = ids.length;
    const marked = SPACE_MARK + word;
    for (let at = 0; at < marked.length;) {
      let to = Math.min(marked.length, at + this.#vocabulary.texts.bytesMax);
      let id: number | undefined;
      while (to > at && (id = this.#vocabulary.lookup(marked.slice(at, to))) === undefined) to--;
      if (id === undefined) {
        ids.length = first;
        ids.push(this.#unknown);
        return;
      }
      ids.push(id);
      at = to;
    }
  }
}
