/**
 * PLaMo's ("plamo2"): of all ways to cut a text into tokens the one whose scores have the greatest sum, as Unigram does, with
 * scores as whole numbers, and of equal ways the one that begins with the longer token. Texts are not changed before, and
 * tokens are written as they are. Characters without a token become byte tokens.
 */

import { byteOf, readByteIds } from "./byte_tokens.ts";
import { TokenizerError } from "./error.ts";
import type { TokenizerModel } from "./model.ts";
import { TokenTrie } from "./token_trie.ts";
import { TokenKind, type Vocabulary } from "./vocabulary.ts";

/** Scores are counted in such parts. */
const SCALE = 1e4;
/** A character without a token. */
const UNKNOWN_COST = 1e7;
/** Tokens that cost so much are never taken. */
const COST_MAX = 2e7;
const BYTE_ORDER_MARK = 0xfeff;
const encoder = new TextEncoder();

export class PlamoModel implements TokenizerModel {
  readonly stripsLeadingSpace = false;
  readonly #vocabulary: Vocabulary;
  readonly #trie: TokenTrie;
  readonly #byteIds: Int32Array;
  /** By token. */
  readonly #costs: Float64Array;

  /** Throws TokenizerError where a byte has no token. */
  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#trie = new TokenTrie(vocabulary);
    this.#byteIds = readByteIds(vocabulary);
    const missing = this.#byteIds.indexOf(-1);
    if (missing >= 0) {
      throw new TokenizerError(
        `tokenizer.ggml.tokens has no token for the byte ${missing}: PLaMo's needs all`,
      );
    }
    // Halves are rounded away from 0: a half has no whole number nearer than another.
    this.#costs = Float64Array.from(vocabulary.scores, (score) => {
      const cost = -Math.sign(score) * Math.round(Math.abs(score) * SCALE);
      return Number.isFinite(cost) && cost < COST_MAX ? cost : Infinity;
    });
  }

  encode(text: string, start: number, end: number, ids: number[]): void {
    const from = text.charCodeAt(start) === BYTE_ORDER_MARK ? start + 1 : start;
    const part = text.slice(from, end);
    const best = this.#bestWay(part);
    for (let at = 0; at < part.length;) {
      const id = best.ids[at];
      const to = best.ends[at];
      if (id >= 0) ids.push(id);
      else for (const byte of encoder.encode(part.slice(at, to))) ids.push(this.#byteIds[byte]);
      at = to;
    }
  }

  bytesOf(id: number): Uint8Array {
    const text = this.#vocabulary.texts.at(id);
    const byte = this.#vocabulary.kinds[id] === TokenKind.byte ? byteOf(text) : undefined;
    return byte !== undefined ? Uint8Array.of(byte) : encoder.encode(text);
  }

  /** For each place the token that the cheapest way from there on begins with, and where it ends; id -1 for bytes. */
  #bestWay(text: string): { ids: Int32Array; ends: Int32Array } {
    const costs = new Float64Array(text.length + 1);
    const ids = new Int32Array(text.length);
    const ends = new Int32Array(text.length);
    for (let at = text.length - 1; at >= 0; at--) {
      // Within a character nothing begins.
      if (isLow(text, at) && isHigh(text, at - 1)) continue;
      let best = Infinity;
      this.#trie.walk(text, at, (to, id) => {
        const cost = costs[to] + this.#costs[id];
        // The longer ones come later.
        if (cost > best || cost === Infinity) return;
        best = cost;
        ids[at] = id;
        ends[at] = to;
      });
      const next = at + (text.codePointAt(at)! > 0xffff ? 2 : 1);
      if (costs[next] + UNKNOWN_COST < best) {
        best = costs[next] + UNKNOWN_COST;
        ids[at] = -1;
        ends[at] = next;
      }
      costs[at] = best;
    }
    return { ids, ends };
  }
}

const isLow = (text: string, at: number) => (text.charCodeAt(at) & 0xfc00) === 0xdc00;
const isHigh = (text: string, at: number) => (text.charCodeAt(at) & 0xfc00) === 0xd800;
