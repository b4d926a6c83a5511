/**
 * Splits text into the words that byte-level BPE merges within. Each published pre-tokenizer is a regular
 * expression or a list of them applied one after the other; here each is a hand-written scanner that returns
 * the end of the piece that starts at a given position. No scanner looks at a code unit more than a fixed
 * number of times, so any input takes linear time, which a backtracking expression does not promise.
 */

import { TokenizerError } from "./error.ts";
import {
  scanBloom,
  scanEastern,
  scanHanAndKana,
  scanLineEnds,
  scanLines,
  scanNumbers,
  scanPunctuation,
  scanSpacedCasedLetters,
  scanSpacedLetters,
  scanSpacedMarks,
  scanSpacedPunctuation,
  scanThreeDigits,
  scanTrailingSpace,
} from "./run_scanners.ts";
import type { Scanner } from "./scanner.ts";
import { scanCasedWords, scanDeepSeekV3, scanGpt2, scanWords } from "./word_scanners.ts";

/** How a named pre-tokenizer works. */
export interface PreTokenizer {
  /** Applied in order, each to the pieces of the one before. */
  readonly scanners: readonly Scanner[];
  /** A word that is a token is taken whole, without merging. */
  readonly ignoreMerges: boolean;
  /** BOS is added unless the file says otherwise. */
  readonly addBos: boolean;
}

function split(...scanners: Scanner[]): PreTokenizer {
  return { scanners, ignoreMerges: false, addBos: false };
}

const GPT2 = split(scanGpt2);
const LLAMA3: PreTokenizer = { ...split(scanWords({ digits: 3 })), ignoreMerges: true, addBos: true };
const LLAMA3_MERGES = split(scanWords({ digits: 3 }));
const QWEN2 = split(scanWords({ digits: 1 }));
const SMOLLM = split(scanNumbers(1), scanGpt2);
const DEEPSEEK_V3 = split(scanNumbers(3), scanHanAndKana, scanDeepSeekV3);
const O200K = split(scanCasedWords({ digits: 3, contractions: true }));
const BLOOM = split(scanBloom);

/** The names of `tokenizer.ggml.pre` whose published expressions equal the scanners above. */
const NAMES: readonly (readonly [PreTokenizer, string])[] = [
  [split(scanPunctuation("$+<=>^~|"), scanGpt2, scanNumbers(), scanThreeDigits), "default"],
  [split(scanPunctuation("$+<=>^~|`"), scanGpt2, scanThreeDigits), "falcon"],
  [GPT2, "gpt-2 phi-2 mpt olmo exaone4 jais trillion gigachat mellum modern-bert granite-docling a.x-4.0"],
  [GPT2, "jina-es jina-de jina-v2-es jina-v2-de"],
  [LLAMA3, "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano"],
  [LLAMA3_MERGES, "dbrx smaug-bpe glm4 chatglm-bpe"],
  [QWEN2, "qwen2 deepseek-r1-qwen megrez stablelm2 kormo f2llmv2 hunyuan solar-open grok-2"],
  [QWEN2, "bailingmoe bailingmoe2 llada-moe"],
  [split(scanWords({ digits: 1, marks: true })), "qwen35"],
  [split(scanWords({ digits: 1, symbolLines: false })), "seed-coder"],
  [split(scanWords({ digits: 1, contractions: false })), "ufakzeka"],
  [{ ...split(scanNumbers(3), scanWords({ digits: Infinity })), ignoreMerges: true }, "minicpm5"],
  [split(scanLines, scanWords({ digits: 1 })), "laguna"],
  [SMOLLM, "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2"],
  [O200K, "gpt-4o llama4 kanana2 talkie minimax-m2"],
  [{ ...split(scanCasedWords({ digits: 1 })), ignoreMerges: true, addBos: true }, "tekken"],
  [DEEPSEEK_V3, "deepseek-v3 hunyuan-dense joyai-llm hy_v4"],
  [
    split(
      scanLineEnds,
      scanSpacedCasedLetters,
      scanSpacedMarks,
      scanTrailingSpace,
      scanEastern,
      scanNumbers(),
    ),
    "deepseek-llm",
  ],
  [
    split(scanLineEnds, scanSpacedLetters, scanSpacedPunctuation, scanEastern, scanNumbers(1)),
    "deepseek-coder",
  ],
  [BLOOM, "bloom poro-chat gpt3-finnish"],
  [split(scanBloom, scanNumbers(1)), "viking"],
];

const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map(
  NAMES.flatMap(([preTokenizer, names]) => names.split(" ").map((name) => [name, preTokenizer] as const)),
);

/**
 * The pre-tokenizer of this name (absent means "default"). Throws TokenizerError that lists the known ones.
 */
export function preTokenizerOf(name: string | undefined): PreTokenizer {
  const key = name === undefined || name === "" ? "default" : name;
  const found = PRE_TOKENIZERS.get(key);
  if (found !== undefined) return found;
  const known = [...PRE_TOKENIZERS.keys()].join(", ");
  throw new TokenizerError(
    `tokenizer.ggml.pre must be one of ${known}: current value is ${JSON.stringify(key)}`,
  );
}

/** Calls `take` with each word of text[start, end) in order. */
export function splitWords(
  scanners: readonly Scanner[],
  text: string,
  start: number,
  end: number,
  take: (start: number, end: number) => void,
  stage = 0,
): void {
  const scan = scanners[stage];
  const isLast = stage === scanners.length - 1;
  for (let at = start; at < end;) {
    const next = scan(text, at, end);
    if (isLast) take(at, next);
    else splitWords(scanners, text, at, next, take, stage + 1);
    at = next;
  }
}
