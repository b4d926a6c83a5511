/**
 * Scanners of whole words with what stands before them: the families of GPT-2, of Llama 3, and of o200k.
 * @module
 */

import { CharacterClass } from "./character_class.ts";
import {
  classAt,
  contraction,
  isLineEnd,
  lineEndRunEnd,
  linesOrSpaceEnd,
  otherRunEnd,
  runEnd,
  scanMatches,
  type Scanner,
  whiteSpaceEnd,
  width,
} from "./scanner.ts";

const { letter: LETTER, number: NUMBER, space: SPACE, mark: MARK } = CharacterClass;
const SYMBOL = CharacterClass.symbol | CharacterClass.punctuation;

/** `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (GPT-2). */
export const scanGpt2: Scanner = (text, start, end) => {
  const contracted = contraction(text, start, end, false);
  if (contracted > 0) return start + contracted;
  const word = text.charCodeAt(start) === 0x20 && start + 1 < end ? start + 1 : start;
  const kind = classAt(text, word, end);
  if ((kind & LETTER) !== 0) return runEnd(text, word, end, LETTER);
  if ((kind & NUMBER) !== 0) return runEnd(text, word, end, NUMBER);
  if ((kind & SPACE) === 0) return otherRunEnd(text, word, end);
  return whiteSpaceEnd(text, start, end);
};

/** In what the expressions of {@linkcode scanWords} differ. */
export interface WordRules {
  /** Digits of a number at most. */
  readonly digits: number;
  /** Whether `'s`, `'ll` … are words of their own; default true. */
  readonly contractions?: boolean;
  /** Whether marks belong to words as letters do; default false. */
  readonly marks?: boolean;
  /** Whether the ends of lines after symbols belong to them; default true. */
  readonly symbolLines?: boolean;
}

/**
 * `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}|
 * ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+` (Llama 3 with three digits, Qwen 2 with one).
 */
export function scanWords(
  { digits, contractions = true, marks = false, symbolLines = true }: WordRules,
): Scanner {
  const letters = marks ? LETTER | MARK : LETTER;
  const notSymbol = letters | NUMBER | SPACE;
  return (text, start, end) => {
    const contracted = contractions ? contraction(text, start, end, true) : 0;
    if (contracted > 0) return start + contracted;
    const code = text.charCodeAt(start);
    const kind = classAt(text, start, end);
    if ((kind & letters) !== 0) return runEnd(text, start, end, letters);
    if ((kind & NUMBER) !== 0) return runEnd(text, start, end, NUMBER, digits);
    const next = start + width(text, start);
    if (!isLineEnd(code) && (classAt(text, next, end) & letters) !== 0) {
      return runEnd(text, next, end, letters);
    }
    const symbols = code === 0x20 ? next : start;
    if (symbols < end && (classAt(text, symbols, end) & notSymbol) === 0) {
      const after = otherRunEnd(text, symbols, end, notSymbol);
      return symbolLines ? lineEndRunEnd(text, after, end) : after;
    }
    return linesOrSpaceEnd(text, start, end);
  };
}

const UPPER_RUN = CharacterClass.upper | CharacterClass.caseless | MARK;
const LOWER_RUN = CharacterClass.lower | CharacterClass.caseless | MARK;

/**
 * With U for `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` and W for `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`:
 * `[^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,digits}|
 * ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`; C: `(?i:'s|'t|'re|'ve|'m|'ll|'d)` (o200k), or nothing
 * (Tekken).
 */
export function scanCasedWords(
  { digits, contractions }: Pick<WordRules, "digits" | "contractions">,
): Scanner {
  return (text, start, end) => {
    const kind = classAt(text, start, end);
    if ((kind & NUMBER) !== 0) return runEnd(text, start, end, NUMBER, digits);
    const word = casedWordEnd(text, start, end, kind);
    if (word > start) return word + (contractions ? contraction(text, word, end, true) : 0);
    const symbols = text.charCodeAt(start) === 0x20 ? start + 1 : start;
    if (symbols < end && (classAt(text, symbols, end) & (LETTER | NUMBER | SPACE)) === 0) {
      return lineEndRunEnd(text, otherRunEnd(text, symbols, end), end, true);
    }
    return linesOrSpaceEnd(text, start, end);
  };
}

/**
 * End of the word at `start` that may begin with one code point that is no letter, or `start`. `kind`: the
 * class of the first.
 */
function casedWordEnd(text: string, start: number, end: number, kind: number): number {
  if ((kind & LETTER) !== 0) return lowerWordEnd(text, start, end) || runEnd(text, start, end, UPPER_RUN);
  if (isLineEnd(text.charCodeAt(start))) return start;
  const next = start + width(text, start);
  const lower = lowerWordEnd(text, next, end) || ((kind & MARK) !== 0 ? lowerWordEnd(text, start, end) : 0);
  if (lower > 0) return lower;
  const upper = runEnd(text, next, end, UPPER_RUN);
  return upper > next ? upper : start;
}

/**
 * End of `U*W+` at `at`, or 0: where U* leaves nothing to W, it gives back what both have, up to the last
 * such code point.
 */
function lowerWordEnd(text: string, at: number, end: number): number {
  let shared = 0;
  for (let kind = classAt(text, at, end); (kind & UPPER_RUN) !== 0; kind = classAt(text, at, end)) {
    at += width(text, at);
    if ((kind & LOWER_RUN) !== 0) shared = at;
  }
  return (classAt(text, at, end) & LOWER_RUN) !== 0 ? runEnd(text, at, end, LOWER_RUN) : shared;
}

const isAsciiLetter = (code: number) => code >= 0x41 && code <= 0x5a || code >= 0x61 && code <= 0x7a;

/**
 * ``[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
 * ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`` (DeepSeek V3).
 */
export const scanDeepSeekV3: Scanner = scanMatches((text, at, end) => {
  const code = text.charCodeAt(at);
  const kind = classAt(text, at, end);
  const next = at + width(text, at);
  if (code < 0x80 && (kind & SYMBOL) !== 0 && next < end && isAsciiLetter(text.charCodeAt(next))) {
    let word = next;
    while (word < end && isAsciiLetter(text.charCodeAt(word))) word++;
    return word;
  }
  if ((kind & (LETTER | MARK)) !== 0) return runEnd(text, at, end, LETTER | MARK);
  const isPrefix = (kind & SYMBOL) === 0 && !isLineEnd(code);
  if (isPrefix && (classAt(text, next, end) & (LETTER | MARK)) !== 0) {
    return runEnd(text, next, end, LETTER | MARK);
  }
  const symbols = code === 0x20 ? next : at;
  if ((classAt(text, symbols, end) & SYMBOL) !== 0) {
    return lineEndRunEnd(text, runEnd(text, symbols, end, SYMBOL), end);
  }
  return (kind & SPACE) !== 0 ? linesOrSpaceEnd(text, at, end) : -1;
});
