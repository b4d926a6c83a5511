/** Scanners that set one kind of characters apart and leave the rest to the next one. @module */

import { CharacterClass, codeSet } from "./character_class.ts";
import { classAt, isLineEnd, runEnd, scanMatches, type Scanner, scanRuns, width } from "./scanner.ts";

const isNumber = (text: string, at: number, end: number) =>
  (classAt(text, at, end) & CharacterClass.number) !== 0;
const isSpace = (text: string, at: number, end: number) =>
  (classAt(text, at, end) & CharacterClass.space) !== 0;

/** `\p{N}{1,most}` */
export function scanNumbers(most = Infinity): Scanner {
  return scanRuns(isNumber, most);
}

/** `[\p{P}…]+` with some ASCII symbols. */
export function scanPunctuation(symbols: string): Scanner {
  return scanRuns((text, at, end) =>
    (classAt(text, at, end) & CharacterClass.punctuation) !== 0 || symbols.includes(text[at])
  );
}

/** `[0-9][0-9][0-9]`: groups of exactly three; fewer stay with what follows them. */
export const scanThreeDigits: Scanner = (text, start, end) => {
  let at = start;
  let digits = 0;
  for (; at < end && digits < 3; at++) {
    const code = text.charCodeAt(at);
    digits = code >= 0x30 && code <= 0x39 ? digits + 1 : 0;
  }
  if (digits < 3) return end;
  return at - 3 > start ? at - 3 : at;
};

/** `[\r\n]`: every end of a line alone. */
export const scanLineEnds: Scanner = scanRuns((text, at) => isLineEnd(text.charCodeAt(at)), 1);

/** `[^\n]+|[\n]+` */
export const scanLines: Scanner = scanRuns((text, at) => text.charCodeAt(at) === 0x0a);

/** `\s+$`: the white space at the end. */
export const scanTrailingSpace: Scanner = (text, start, end) => {
  let at = end;
  while (at > start && isSpace(text, at - 1, end)) at--;
  return at > start ? at : end;
};

/** `\s?X+` for the code points of X. */
function scanSpacedRuns(isIn: (code: number) => boolean): Scanner {
  return scanMatches((text, at, end) => {
    let to = isSpace(text, at, end) && !isIn(text.codePointAt(at)!) ? at + 1 : at;
    const first = to;
    while (to < end && isIn(text.codePointAt(to)!)) to += width(text, to);
    if (to > first) return to;
    return -1;
  });
}

/** The same for a class of characters. */
function scanSpacedClass(bits: number): Scanner {
  return scanMatches((text, at, end) => {
    const first = isSpace(text, at, end) ? at + 1 : at;
    const to = runEnd(text, first, end, bits);
    return to > first ? to : -1;
  });
}

/** `\s?\p{L}+` and `\s?\p{P}+` (DeepSeek Coder). */
export const scanSpacedLetters: Scanner = scanSpacedClass(CharacterClass.letter);
export const scanSpacedPunctuation: Scanner = scanSpacedClass(CharacterClass.punctuation);

/**
 * Letters that have case, in those scripts and blocks that the published expression of DeepSeek LLM lists.
 */
const CASED_LETTERS = "[" +
  "A-Za-z\\u{b5}\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{1ba}\\u{1bc}-\\u{1bf}\\u{1c4}-\\u{293}" +
  "\\u{295}-\\u{2af}\\u{370}-\\u{373}\\u{376}\\u{377}\\u{37b}-\\u{37d}\\u{37f}\\u{386}" +
  "\\u{388}-\\u{38a}\\u{38c}\\u{38e}-\\u{3a1}\\u{3a3}-\\u{3f5}\\u{3f7}-\\u{481}\\u{48a}-\\u{52f}" +
  "\\u{531}-\\u{556}\\u{10a0}-\\u{10c5}\\u{13a0}-\\u{13f5}\\u{13f8}-\\u{13fd}\\u{1c90}-\\u{1cba}" +
  "\\u{1cbd}-\\u{1cbf}\\u{1d00}-\\u{1d2b}\\u{1d6b}-\\u{1d77}\\u{1d79}-\\u{1d9a}\\u{1e00}-\\u{1f15}" +
  "\\u{1f18}-\\u{1f1d}\\u{1f20}-\\u{1f45}\\u{1f48}-\\u{1f4d}\\u{1f50}-\\u{1f57}\\u{1f59}\\u{1f5b}" +
  "\\u{1f5d}\\u{1f5f}-\\u{1f7d}\\u{1f80}-\\u{1fb4}\\u{1fb6}-\\u{1fbc}\\u{1fbe}\\u{1fc2}-\\u{1fc4}" +
  "\\u{1fc6}-\\u{1fcc}\\u{1fd0}-\\u{1fd3}\\u{1fd6}-\\u{1fdb}\\u{1fe0}-\\u{1fec}\\u{1ff2}-\\u{1ff4}" +
  "\\u{1ff6}-\\u{1ffc}\\u{2102}\\u{2107}\\u{210a}-\\u{2113}\\u{2115}\\u{2119}-\\u{211d}\\u{2124}" +
  "\\u{2126}\\u{2128}\\u{212a}-\\u{212d}\\u{212f}-\\u{2134}\\u{2139}\\u{213c}-\\u{213f}" +
  "\\u{2145}-\\u{2149}\\u{214e}\\u{2183}\\u{2184}\\u{2c00}-\\u{2c7b}\\u{2c7e}-\\u{2ce4}" +
  "\\u{2ceb}-\\u{2cee}\\u{2cf2}\\u{2cf3}\\u{a640}-\\u{a66d}\\u{a680}-\\u{a69b}\\u{a722}-\\u{a76f}" +
  "\\u{a771}-\\u{a787}\\u{a78b}-\\u{a78e}\\u{ab70}-\\u{abbf}\\u{fb00}-\\u{fb06}\\u{fb13}-\\u{fb17}" +
  "\\u{ff21}-\\u{ff3a}\\u{ff41}-\\u{ff5a}\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}" +
  "\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}" +
  "\\u{1e900}-\\u{1e943}" +
  "]";

/** `\s?X+` of cased letters, and of ASCII, full-width and general punctuation (DeepSeek LLM). */
export const scanSpacedCasedLetters: Scanner = scanSpacedRuns(codeSet(CASED_LETTERS));
export const scanSpacedMarks: Scanner = scanSpacedRuns(
  codeSet("[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]"),
);

/** Han, the scripts of U+0800 to U+4E00, and Hangul, as runs (DeepSeek LLM and Coder). */
const isEastern = codeSet("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]");
export const scanEastern: Scanner = scanRuns((text, at) => isEastern(text.codePointAt(at)!));

/** Han and kana, as runs (DeepSeek V3). */
const isHanOrKana = codeSet("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]");
export const scanHanAndKana: Scanner = scanRuns((text, at) => isHanOrKana(text.codePointAt(at)!));

const isBloomBreak = codeSet("[(|.,!?…。，、।۔،)\\p{White_Space}]");

/** ` ?[^(\s|.,!?…。，、।۔،)]+` (BLOOM) */
export const scanBloom: Scanner = scanMatches((text, at, end) => {
  const first = text.charCodeAt(at) === 0x20 ? at + 1 : at;
  let to = first;
  while (to < end && !isBloomBreak(text.codePointAt(to)!)) to += width(text, to);
  return to > first ? to : -1;
});
