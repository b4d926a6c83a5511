/**
 * SentencePiece BPE ("llama"): the characters of the text, spaces written as ▁, merged in the order of the
 * scores of the resulting tokens; characters without a token become byte tokens <0xXX>. Kudo & Richardson
 * 2018.
 */

import { readByteIds } from "./byte_tokens.ts";
import { Merger, type MergeRules } from "./merger.ts";
import type { Metadata } from "./metadata.ts";
import type { TokenizerModel } from "./model.ts";
import { PairTable } from "./pair_table.ts";
import { bytesOfPiece, SPACE_MARK } from "./pieces.ts";
import { readSpacePrefix, type SpacePrefix } from "./space_prefix.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";
import { WordCache } from "./word_cache.ts";

const SPACE_CODE = 0x2581;
/** How many code points there are. */
const CODES = 0x110000;
const SCRATCH_SYMBOLS = 4096;
const PAIRS_MAX = 1 << 18;
const NOT_MERGEABLE = 0x7fffffff;
const encoder = new TextEncoder();

export class SentencePieceModel implements TokenizerModel {
  readonly stripsLeadingSpace: boolean;
  readonly #isPrefixDue: SpacePrefix;
  readonly #vocabulary: Vocabulary;
  readonly #merger: Merger;
  readonly #pairs: LazyPairs;
  readonly #byteIds: Int32Array;
  readonly #unknown: number | undefined;
  readonly #splitsAtSpaces: boolean;
  readonly #cache = new WordCache();

  /** Throws TokenizerError for settings of wrong types. */
  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    const { isAdded, isDue } = readSpacePrefix(metadata);
    this.stripsLeadingSpace = isAdded;
    this.#isPrefixDue = isDue;
    const { codes, hasInnerSpace } = charactersOf(vocabulary);
    this.#pairs = new LazyPairs(vocabulary, codes);
    this.#merger = new Merger(this.#pairs);
    this.#byteIds = readByteIds(vocabulary);
    const unknown = vocabulary.special.unknown;
    this.#unknown = unknown !== undefined && vocabulary.kinds[unknown] !== TokenKind.control
      ? unknown
      : undefined;
    // Where no token has a ▁ after another character, no merge crosses that place: words can be merged one by
    // one.
    this.#splitsAtSpaces = !hasInnerSpace;
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    const prefix = this.#isPrefixDue(text, start) ? SPACE_MARK : "";
    const escaped = prefix + text.slice(start, end).replaceAll(" ", SPACE_MARK);
    for (let from = 0; from < escaped.length;) {
      const to = this.#splitsAtSpaces ? wordEnd(escaped, from) : escaped.length;
      this.#encodeCached(escaped.slice(from, to), ids);
      from = to;
    }
    this.#merger.trim(SCRATCH_SYMBOLS);
  }

  bytesOf(id: number): Uint8Array {
    return bytesOfPiece(this.#vocabulary, id);
  }

  #encodeCached(word: string, ids: number[]): void {
    const isShort = word.length <= WordCache.unitsMax;
    const known = isShort ? this.#cache.get(word) : undefined;
    if (known !== undefined) {
      for (const id of known) ids.push(id);
      return;
    }
    const first = ids.length;
    this.#encodeWord(word, ids);
    if (isShort) this.#cache.set(word, ids.slice(first));
  }

  #encodeWord(word: string, ids: number[]): void {
    const symbols = this.#merger.symbols(word.length);
    let count = 0;
    for (let i = 0; i < word.length;) {
      const code = word.codePointAt(i)!;
      symbols[count++] = this.#pairs.symbolOf(code);
      i += code > 0xffff ? 2 : 1;
    }
    const merged = this.#merger.merge(count);
    for (let i = 0; i < merged; i++) {
      if (symbols[i] >= 0 && symbols[i] < this.#vocabulary.size) ids.push(symbols[i]);
      else this.#pushBytes(this.#pairs.textOf(symbols[i]), ids);
    }
  }

  #pushBytes(character: string, ids: number[]): void {
    for (const byte of encoder.encode(character)) {
      if (this.#byteIds[byte] >= 0) ids.push(this.#byteIds[byte]);
      else if (this.#unknown !== undefined) ids.push(this.#unknown);
    }
  }
}

/** End of the word at `from`: before the next ▁ that follows another character. */
function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) === SPACE_CODE) at++;
  const space = text.indexOf(SPACE_MARK, at);
  return space < 0 ? text.length : space;
}

/**
 * Merge rules worked out when a pair is first met: the pair merges when its joined text is a token, ranked by
 * score. Symbols are token ids, then ids of characters that only occur inside tokens, then -2 - code point
 * for all others.
 */
class LazyPairs implements MergeRules {
  pairs = new PairTable(1 << 14);
  readonly #vocabulary: Vocabulary;
  readonly #rankOf: Int32Array;
  readonly #innerTexts: string[] = [];
  readonly #symbols = new Map<number, number>();

  constructor(vocabulary: Vocabulary, codes: readonly number[]) {
    this.#vocabulary = vocabulary;
    this.#rankOf = rankByScore(vocabulary.scores);
    for (const code of codes) {
      const character = String.fromCodePoint(code);
      let symbol = vocabulary.lookup(character);
      if (symbol === undefined) {
        symbol = vocabulary.size + this.#innerTexts.length;
        this.#innerTexts.push(character);
      }
      this.#symbols.set(code, symbol);
    }
  }

  symbolOf(code: number): number {
    return this.#symbols.get(code) ?? -2 - code;
  }

  textOf(symbol: number): string {
    if (symbol < 0) return String.fromCodePoint(-2 - symbol);
    const size = this.#vocabulary.size;
    return symbol < size ? this.#vocabulary.texts.at(symbol) : this.#innerTexts[symbol - size];
  }

  readonly complete = (left: number, right: number): number => {
    if (left < 0 || right < 0) return -1;
    if (this.pairs.count >= PAIRS_MAX) this.pairs = new PairTable(1 << 14);
    const merged = this.#vocabulary.lookup(this.textOf(left) + this.textOf(right));
    const rank = merged === undefined ? NOT_MERGEABLE : this.#rankOf[merged];
    this.pairs.add(left, right, rank, merged ?? 0);
    return this.pairs.find(left, right);
  };
}

/**
 * The characters of all tokens, each once, and whether some token has a ▁ after another character. Bytes are read and no strings made of
 * them: Gemma has 262,000 tokens.
 */
function charactersOf({ texts, kinds }: Vocabulary): { codes: number[]; hasInnerSpace: boolean } {
  const { bytes, ends } = texts;
  const isKnown = new Uint8Array(CODES);
  const codes: number[] = [];
  let hasInnerSpace = false;
  for (let id = 0; id < ends.length; id++) {
    const isText = kinds[id] !== TokenKind.control;
    let before = SPACE_CODE;
    for (let at = texts.startOf(id); at < ends[id];) {
      const first = bytes[at++];
      // Texts are whole characters of UTF-8.
      let code = first < 0x80
        ? first
        : first < 0xe0
        ? first & 0x1f
        : first < 0xf0
        ? first & 0x0f
        : first & 0x07;
      for (let more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3; more > 0; more--) {
        code = code << 6 | bytes[at++] & 0x3f;
      }
      if (isKnown[code] === 0) {
        isKnown[code] = 1;
        codes.push(code);
      }
      hasInnerSpace ||= isText && code === SPACE_CODE && before !== SPACE_CODE;
      before = code;
    }
  }
  return { codes, hasInnerSpace };
}

/** Rank of each token: 0 for the highest score, equal scores alike. Found in a sorted list: a Map of as many numbers takes ten times as long. */
function rankByScore(scores: Float32Array): Int32Array {
  const sorted = scores.toSorted();
  let count = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== sorted[count - 1]) sorted[count++] = sorted[i];
  }
  const ranks = new Int32Array(scores.length);
  for (let id = 0; id < scores.length; id++) {
    let low = 0;
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < scores[id]) low = middle + 1;
      else high = middle;
    }
    ranks[id] = count - 1 - low;
  }
  return ranks;
}
