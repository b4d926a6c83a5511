/** Reads the merges of a byte-level BPE vocabulary into a table of id pairs. */

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
  const tokens = vocabulary.index;
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
