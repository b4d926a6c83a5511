/** The tokens with which a model is asked to fill a gap between two texts. @module */

import { type Metadata, readTokenId } from "./metadata.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Token ids, in the order of a prompt: `prefix`, the text before the gap, `suffix`, the text behind it, `middle`. */
export interface GapTokens {
  prefix: number;
  suffix: number;
  middle: number;
  /** What stands before the name of a repository, and of each of its files, for models that were shown whole ones. */
  repository?: number;
  file?: number;
  /** Tokens that end what fills the gap, beside the model's own. */
  ends: number[];
}

/** Keys of GGUF files, newer ones first, and texts by which such tokens are known. Bavarian et al. 2022. */
const PARTS = {
  prefix: {
    keys: ["fim_pre_token_id", "prefix_token_id"],
    texts: ["<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>", "▁<PRE>", "<PRE>"],
  },
  suffix: {
    keys: ["fim_suf_token_id", "suffix_token_id"],
    texts: ["<|fim_suffix|>", "<fim_suffix>", "<fim-suffix>", "<｜fim▁hole｜>", "▁<SUF>", "<SUF>"],
  },
  middle: {
    keys: ["fim_mid_token_id", "middle_token_id"],
    texts: ["<|fim_middle|>", "<fim_middle>", "<fim-middle>", "<｜fim▁end｜>", "▁<MID>", "<MID>"],
  },
} as const;

/** With them a repository begins, and a file of it. */
const FILES = {
  repository: {
    keys: ["fim_rep_token_id"],
    texts: ["<|repo_name|>", "<|fim_repo|>", "<repo_name>", "<reponame>"],
  },
  file: { keys: ["fim_sep_token_id"], texts: ["<|file_sep|>", "<file_sep>"] },
} as const;

/** After them nothing comes, or another file. */
const ENDS = {
  keys: ["fim_pad_token_id", ...FILES.repository.keys, ...FILES.file.keys],
  texts: ["<|fim_pad|>", "<fim_pad>", ...FILES.repository.texts, ...FILES.file.texts, "▁<EOT>", "<EOT>"],
};

/** The tokens of a model that knows gaps. Throws TokenizerError for ids that are none. */
export function readGapTokens(metadata: Metadata, tokenizer: Tokenizer): GapTokens | undefined {
  const all = ({ keys, texts }: { keys: readonly string[]; texts: readonly string[] }) =>
    [
      ...keys.map((key) => readTokenId(metadata, key, tokenizer.vocabSize)),
      ...texts.map((text) => tokenizer.controlId(text)),
    ].filter((id) => id !== undefined);
  const [prefix] = all(PARTS.prefix);
  const [suffix] = all(PARTS.suffix);
  const [middle] = all(PARTS.middle);
  if (prefix === undefined || suffix === undefined || middle === undefined) return undefined;
  const [repository] = all(FILES.repository);
  const [file] = all(FILES.file);
  return {
    prefix,
    suffix,
    middle,
    ...repository === undefined ? {} : { repository },
    ...file === undefined ? {} : { file },
    ends: [...new Set(all(ENDS))],
  };
}
