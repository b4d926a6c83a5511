/**
 * Unigram ("t5"): of all ways to cut a text into tokens the one whose scores, logarithms of probabilities,
 * have the greatest sum. Characters may be replaced before; what no token has becomes byte tokens where the
 * vocabulary has all 256, else the unknown token, once for a run of such characters. Kudo 2018.
 */

import { readByteIds } from "./byte_tokens.ts";
import { CharacterMap } from "./character_map.ts";
import { TokenizerError } from "./error.ts";
import { type Metadata, readBoolean, readBytes } from "./metadata.ts";
import type { TokenizerModel } from "./model.ts";
import { bytesOfPiece, SPACE_MARK } from "./pieces.ts";
import { readSpacePrefix, type SpacePrefix } from "./space_prefix.ts";
import { TokenTrie } from "./token_trie.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";

/** A character without a token counts as so much less likely than the least likely token. */
const UNKNOWN_PENALTY = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class UnigramModel implements TokenizerModel {
  readonly stripsLeadingSpace: boolean;
  readonly #isPrefixDue: SpacePrefix;
  readonly #vocabulary: Vocabulary;
  readonly #joinsSpaces: boolean;
  /** Where spaces are joined, one at the end of a text stays. Our own key. */
  readonly #keepsLastSpace: boolean;
  readonly #map: CharacterMap | undefined;
  readonly #trie: TokenTrie;
  readonly #unknownScore: number;
  /** By byte; undefined where some byte has no token. */
  readonly #byteIds: Int32Array | undefined;

  /** Throws TokenizerError for settings of wrong types, and where there is no unknown token. */
  constructor(metadata: Metadata, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    const { isAdded, isDue } = readSpacePrefix(metadata);
    this.stripsLeadingSpace = isAdded;
    this.#isPrefixDue = isDue;
    this.#keepsLastSpace = readBoolean(metadata, "kumi.keep_last_space") ?? false;
    this.#joinsSpaces = readBoolean(metadata, "remove_extra_whitespaces") ?? false;
    const map = readBytes(metadata, "precompiled_charsmap");
    this.#map = map === undefined || map.length === 0 ? undefined : new CharacterMap(map);
    this.#trie = new TokenTrie(vocabulary);
    let least = Infinity;
    for (let id = 0; id < vocabulary.size; id++) {
      if (vocabulary.kinds[id] === TokenKind.normal) least = Math.min(least, vocabulary.scores[id]);
    }
    this.#unknownScore = (least === Infinity ? 0 : least) - UNKNOWN_PENALTY;
    const byteIds = readByteIds(vocabulary);
    this.#byteIds = byteIds.includes(-1) ? undefined : byteIds;
    if (this.#byteIds === undefined && vocabulary.special.unknown === undefined) {
      throw new TokenizerError("tokenizer.ggml.unknown_token_id is missing: Unigram needs it");
    }
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    const normal = this.#normalize(text.slice(start, end), this.#isPrefixDue(text, start));
    const pieces = this.#bestPieces(normal);
    let wasUnknown = false;
    for (let i = pieces.length - 1; i >= 0; i--) {
      const { id, from, to } = pieces[i];
      if (id >= 0) ids.push(id);
      else if (this.#byteIds !== undefined) {
        for (const byte of encoder.encode(normal.slice(from, to))) ids.push(this.#byteIds[byte]);
      } else if (!wasUnknown) ids.push(this.#vocabulary.special.unknown!);
      wasUnknown = id < 0;
    }
  }

  bytesOf(id: number): Uint8Array {
    return bytesOfPiece(this.#vocabulary, id);
  }

  /** Pieces of the best way, the last first; id -1 for a character that no token has. */
  #bestPieces(text: string): { id: number; from: number; to: number }[] {
    const scores = new Float64Array(text.length + 1).fill(-Infinity);
    const ids = new Int32Array(text.length + 1);
    const starts = new Int32Array(text.length + 1);
    scores[0] = 0;
    const offer = (from: number, to: number, id: number, score: number) => {
      if (scores[from] + score <= scores[to]) return;
      scores[to] = scores[from] + score;
      ids[to] = id;
      starts[to] = from;
    };
    for (let at = 0; at < text.length;) {
      const next = at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
      let hasOwnToken = false;
      this.#trie.walk(text, at, (to, id) => {
        hasOwnToken ||= to === next;
        // A token that the file's author added is taken wherever it fits.
        const isAdded = this.#vocabulary.kinds[id] === TokenKind.userDefined;
        offer(at, to, id, isAdded ? 0 : this.#vocabulary.scores[id]);
      });
      if (!hasOwnToken) offer(at, next, -1, this.#unknownScore);
      at = next;
    }
    const pieces = [];
    for (let to = text.length; to > 0; to = starts[to]) pieces.push({ id: ids[to], from: starts[to], to });
    return pieces;
  }

  /** Replaces characters, and writes spaces as ▁, with `hasPrefix` one before the first word. */
  #normalize(text: string, hasPrefix: boolean): string {
    const replaced = this.#map === undefined ? text : this.#replace(this.#map, text);
    if (!this.#joinsSpaces) {
      return ((hasPrefix ? " " : "") + replaced).replaceAll(" ", SPACE_MARK);
    }
    const words = replaced.split(" ").filter((word) => word !== "");
    const joined = words.join(SPACE_MARK);
    let end = joined.length;
    while (end > 0 && joined[end - 1] === SPACE_MARK) end--; // a ▁ of the text itself counts as a space here
    if (end === 0) return this.#keepsLastSpace && replaced !== "" ? SPACE_MARK : "";
    const lead = hasPrefix || this.stripsLeadingSpace && replaced.startsWith(" ") ? SPACE_MARK : "";
    return lead + joined.slice(0, end) + (this.#keepsLastSpace && replaced.endsWith(" ") ? SPACE_MARK : "");
  }

  #replace(map: CharacterMap, text: string): string {
    const bytes = encoder.encode(text);
    let result = "";
    let kept = 0;
    for (let at = 0; at < bytes.length;) {
      const found = map.longest(bytes, at);
      if (found === undefined) {
        at += utf8Length(bytes[at]);
        continue;
      }
      result += decoder.decode(bytes.subarray(kept, at)) + found.text;
      at += found.length;
      kept = at;
    }
    return result + decoder.decode(bytes.subarray(kept));
  }
}

/** Bytes of the character that begins with this one. */
function utf8Length(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
