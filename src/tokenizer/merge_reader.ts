/**
 * Reads the merges of a byte-level BPE vocabulary into a table of id pairs. Llama 3 has 280,000 merges of
 * 128,000 tokens; slices of strings as keys of a Map take half a second, so tokens are found by a rolling
 * hash without making strings.
 */

import { TokenizerError } from "./error.ts";
import { RANKS_MAX } from "./merger.ts";
import { type Metadata, readStrings } from "./metadata.ts";
import { PairTable } from "./pair_table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * Merges "left right" of the file as a table of id pairs, rank and result. The first of equal merges counts.
 * A merge that touches a control token is left out: text must not become one. Throws TokenizerError for a
 * merge of tokens that do not exist, since the vocabulary would then not be the one that the model was
 * trained with.
 */
export function readMerges(metadata: Metadata, vocabulary: Vocabulary): PairTable {
  const merges = readStrings(metadata, "merges");
  if (merges === undefined) {
    throw new TokenizerError("tokenizer.ggml.merges is missing: byte-level BPE needs it");
  }
  if (merges.length > RANKS_MAX) {
    throw new TokenizerError(
      `tokenizer.ggml.merges must have at most ${RANKS_MAX} items: it has ${merges.length}`,
    );
  }
  const tokens = new TextIndex(vocabulary.texts);
  const pairs = new PairTable(merges.length);
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank];
    // A token may itself begin with a space, but not be one.
    const space = merge.indexOf(" ", 1);
    if (space < 0) throw badMerge(rank, merge, "has no space between two tokens");
    const left = tokens.start().take(merge, 0, space).find();
    const result = tokens.take(merge, space + 1, merge.length).find();
    const right = tokens.start().take(merge, space + 1, merge.length).find();
    if (left < 0 || right < 0 || result < 0) {
      throw badMerge(rank, merge, "names a token that is not in the vocabulary");
    }
    if (vocabulary.isText(left) && vocabulary.isText(right) && vocabulary.isText(result)) {
      pairs.add(left, right, rank, result);
    }
  }
  return pairs;
}

function badMerge(rank: number, merge: string, fault: string): TokenizerError {
  return new TokenizerError(`tokenizer.ggml.merges[${rank}] ${fault}: ${JSON.stringify(merge.slice(0, 80))}`);
}

/**
 * Token ids by a rolling hash of 64 bits and the length of their text; the first of equal texts wins. Texts
 * are not compared: in a file made to collide, the worst is a merge with another of its own tokens.
 */
class TextIndex {
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
