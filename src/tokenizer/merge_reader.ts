/** Reads the merges of a byte-level BPE vocabulary into a table of id pairs. */

import { TokenizerError } from "./error.ts";
import { RANKS_MAX } from "./merger.ts";
import { type Metadata, readTexts } from "./metadata.ts";
import { PairTable } from "./pair_table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** As a byte of UTF-8, of which no other character has it. */
const SPACE = 0x20;

/**
 * Merges "left right" of the file as a table of id pairs, rank and result. The first of equal merges counts.
 * A merge that touches a control token is left out: text must not become one. Throws TokenizerError for a
 * merge of tokens that do not exist, since the vocabulary would then not be the one that the model was
 * trained with.
 */
export function readMerges(metadata: Metadata, vocabulary: Vocabulary): PairTable {
  const merges = readTexts(metadata, "merges");
  if (merges === undefined) {
    throw new TokenizerError("tokenizer.ggml.merges is missing: byte-level BPE needs it");
  }
  if (merges.length > RANKS_MAX) {
    throw new TokenizerError(
      `tokenizer.ggml.merges must have at most ${RANKS_MAX} items: it has ${merges.length}`,
    );
  }
  const tokens = vocabulary.index;
  const { bytes } = merges;
  const pairs = new PairTable(merges.length);
  for (let rank = 0; rank < merges.length; rank++) {
    const start = merges.startOf(rank), end = merges.ends[rank];
    // A token may itself begin with a space, but not be one.
    let space = start + 1;
    while (space < end && bytes[space] !== SPACE) space++;
    if (space >= end) throw badMerge(rank, merges.at(rank), "has no space between two tokens");
    const left = tokens.start().take(bytes, start, space).mark().find();
    const result = tokens.take(bytes, space + 1, end).find();
    const right = tokens.sinceMark().find();
    if (left < 0 || right < 0 || result < 0) {
      throw badMerge(rank, merges.at(rank), "names a token that is not in the vocabulary");
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
