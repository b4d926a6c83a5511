/**
 * Splits text into the words that byte-level BPE merges within. Each published pre-tokenizer is a regular
 * expression or a list of them applied one after the other; here each is a hand-written scanner that returns
 * the end of the piece that starts at a given position. No scanner looks at a code unit more than a fixed
 * number of times, so any input takes linear time, which a backtracking expression does not promise.
 */

import { CharacterClass, classOf } from "./character_class.ts";
import { TokenizerError } from "./error.ts";

/**
 * End of the piece of `text` that starts at `start`; start < result ≤ end. The text ends at `end` for all
 * lookaheads.
 */
export type Scanner = (text: string, start: number, end: number) => number;

/** How a named pre-tokenizer works. */
export interface PreTokenizer {
  /** Applied in order, each to the pieces of the one before. */
  readonly scanners: readonly Scanner[];
  /** A word that is a token is taken whole, without merging. */
  readonly ignoreMerges: boolean;
  /** BOS is added unless the file says otherwise. */
  readonly addBos: boolean;
}

const { letter: LETTER, number: NUMBER, space: SPACE, punctuation: PUNCTUATION } = CharacterClass;
const WORD_OR_SPACE = LETTER | NUMBER | SPACE;

/** Class of the code point at `at`, or 0 at or after `end`. */
function classAt(text: string, at: number, end: number): number {
  return at < end ? classOf(text.codePointAt(at)!) : 0;
}

/** Code units of the code point at `at`. */
function width(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
}

/** End of the run of code points whose class has one of `bits`, at most `most` of them. */
function runEnd(text: string, at: number, end: number, bits: number, most = Infinity): number {
  for (let n = 0; n < most && at < end && (classAt(text, at, end) & bits) !== 0; n++) at += width(text, at);
  return at;
}

/** End of the run of code points that are neither letters, nor numbers, nor white space. */
function symbolRunEnd(text: string, at: number, end: number): number {
  while (at < end && (classAt(text, at, end) & WORD_OR_SPACE) === 0) at += width(text, at);
  return at;
}

/** Length of `'s 't 'm 'd 're 've 'll` at `at`, or 0. */
function contraction(text: string, at: number, end: number, anyCase: boolean): number {
  if (text.charCodeAt(at) !== 0x27 || at + 1 >= end) return 0;
  const fold = (character: string) =>
    anyCase && /[A-Z]/.test(character) ? character.toLowerCase() : character;
  const first = fold(text[at + 1]);
  if (first === "s" || first === "t" || first === "m" || first === "d") return 2;
  if (at + 2 >= end) return 0;
  const two = first + fold(text[at + 2]);
  return two === "re" || two === "ve" || two === "ll" ? 3 : 0;
}

/**
 * `\s+(?!\S)|\s+` at white space: leaves the last one to the word that follows, unless it is the only one.
 */
function whiteSpaceEnd(text: string, at: number, end: number): number {
  const run = runEnd(text, at, end, SPACE);
  return run < end && run - at > 1 ? run - 1 : run;
}

/** `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (GPT-2). */
export const scanGpt2: Scanner = (text, start, end) => {
  const contracted = contraction(text, start, end, false);
  if (contracted > 0) return start + contracted;
  const word = text.charCodeAt(start) === 0x20 && start + 1 < end ? start + 1 : start;
  const kind = classAt(text, word, end);
  if ((kind & LETTER) !== 0) return runEnd(text, word, end, LETTER);
  if ((kind & NUMBER) !== 0) return runEnd(text, word, end, NUMBER);
  if ((kind & SPACE) === 0) return symbolRunEnd(text, word, end);
  return whiteSpaceEnd(text, start, end);
};

/**
 * `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
 * (Llama 3 with three digits, Qwen 2 with one).
 */
export function scanLlama3(digitsMax: number): Scanner {
  return (text, start, end) => {
    const contracted = contraction(text, start, end, true);
    if (contracted > 0) return start + contracted;
    const code = text.charCodeAt(start);
    const kind = classAt(text, start, end);
    if ((kind & LETTER) !== 0) return runEnd(text, start, end, LETTER);
    if ((kind & NUMBER) !== 0) return runEnd(text, start, end, NUMBER, digitsMax);
    const isLineEnd = code === 0x0a || code === 0x0d;
    const next = start + width(text, start);
    if (!isLineEnd && (classAt(text, next, end) & LETTER) !== 0) return runEnd(text, next, end, LETTER);
    const symbols = code === 0x20 ? next : start;
    if (symbols < end && (classAt(text, symbols, end) & WORD_OR_SPACE) === 0) {
      return lineEndRunEnd(text, symbolRunEnd(text, symbols, end), end);
    }
    const run = runEnd(text, start, end, SPACE);
    for (let last = run - 1; last >= start; last--) {
      if (isLineEndCode(text.charCodeAt(last))) return last + 1;
    }
    return run < end && run - start > 1 ? run - 1 : run;
  };
}

function isLineEndCode(code: number): boolean {
  return code === 0x0a || code === 0x0d;
}

function lineEndRunEnd(text: string, at: number, end: number): number {
  while (at < end && isLineEndCode(text.charCodeAt(at))) at++;
  return at;
}

/** Pieces that match `isIn` as runs of at most `most` code points, and what lies between as it is. */
function scanRuns(isIn: (text: string, at: number, end: number) => boolean, most = Infinity): Scanner {
  return (text, start, end) => {
    const inside = isIn(text, start, end);
    let at = start + width(text, start);
    for (let n = 1; at < end && isIn(text, at, end) === inside && !(inside && n >= most); n++) {
      at += width(text, at);
    }
    return at;
  };
}

const isNumber = (text: string, at: number, end: number) => (classAt(text, at, end) & NUMBER) !== 0;

/** `\p{N}`: every digit alone. */
const scanSingleDigits = scanRuns(isNumber, 1);

/** `\p{N}+` */
const scanNumbers = scanRuns(isNumber);

/** `[\p{P}\$\+<=>\^~\|]+` */
const scanPunctuation = scanRuns((text, at, end) =>
  (classAt(text, at, end) & PUNCTUATION) !== 0 || "$+<=>^~|".includes(text[at])
);

/** `[0-9][0-9][0-9]`: groups of exactly three; fewer stay with what follows them. */
const scanThreeDigits: Scanner = (text, start, end) => {
  let at = start;
  let digits = 0;
  for (; at < end && digits < 3; at++) {
    const code = text.charCodeAt(at);
    digits = code >= 0x30 && code <= 0x39 ? digits + 1 : 0;
  }
  if (digits < 3) return end;
  return at - 3 > start ? at - 3 : at;
};

const GPT2: PreTokenizer = { scanners: [scanGpt2], ignoreMerges: false, addBos: false };
const LLAMA3: PreTokenizer = { scanners: [scanLlama3(3)], ignoreMerges: true, addBos: true };
const LLAMA3_MERGES: PreTokenizer = { scanners: [scanLlama3(3)], ignoreMerges: false, addBos: false };
const QWEN2: PreTokenizer = { scanners: [scanLlama3(1)], ignoreMerges: false, addBos: false };
const SMOLLM: PreTokenizer = { scanners: [scanSingleDigits, scanGpt2], ignoreMerges: false, addBos: false };
const DEFAULT: PreTokenizer = {
  scanners: [scanPunctuation, scanGpt2, scanNumbers, scanThreeDigits],
  ignoreMerges: false,
  addBos: false,
};

/** By the value of `tokenizer.ggml.pre`; only names whose published expressions equal the scanners above. */
const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  "default": DEFAULT,
  "gpt-2": GPT2,
  "phi-2": GPT2,
  "mpt": GPT2,
  "olmo": GPT2,
  "llama-bpe": LLAMA3,
  "llama3": LLAMA3,
  "llama-v3": LLAMA3,
  "falcon3": LLAMA3,
  "pixtral": LLAMA3,
  "dbrx": LLAMA3_MERGES,
  "smaug-bpe": LLAMA3_MERGES,
  "qwen2": QWEN2,
  "deepseek-r1-qwen": QWEN2,
  "megrez": QWEN2,
  "stablelm2": QWEN2,
  "smollm": SMOLLM,
  "starcoder": SMOLLM,
  "refact": SMOLLM,
  "command-r": SMOLLM,
};

/**
 * The pre-tokenizer of this name (absent means "default"). Throws TokenizerError that lists the known ones.
 */
export function preTokenizerOf(name: string | undefined): PreTokenizer {
  const key = name === undefined || name === "" ? "default" : name;
  if (Object.hasOwn(PRE_TOKENIZERS, key)) return PRE_TOKENIZERS[key];
  const known = Object.keys(PRE_TOKENIZERS).join(", ");
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
