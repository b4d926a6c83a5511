/** What scanners of pre-tokenizers are made of. @module */

import { CharacterClass, classOf } from "./character_class.ts";

/**
 * End of the piece of `text` that starts at `start`; start < result ≤ end. The text ends at `end` for all
 * lookaheads.
 */
export type Scanner = (text: string, start: number, end: number) => number;

/** End of what matches at `at`, or -1 where nothing does: for scanners whose expression leaves gaps. */
export type Match = (text: string, at: number, end: number) => number;

const WORD_OR_SPACE = CharacterClass.letter | CharacterClass.number | CharacterClass.space;

/** Class of the code point at `at`, or 0 at or after `end`. */
export function classAt(text: string, at: number, end: number): number {
  return at < end ? classOf(text.codePointAt(at)!) : 0;
}

/** Code units of the code point at `at`. */
export function width(text: string, at: number): number {
  return (text.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
}

/** End of the run of code points whose class has one of `bits`, at most `most` of them. */
export function runEnd(text: string, at: number, end: number, bits: number, most = Infinity): number {
  for (let n = 0; n < most && at < end && (classAt(text, at, end) & bits) !== 0; n++) at += width(text, at);
  return at;
}

/**
 * End of the run of code points whose class has none of `bits`; by default neither letters, nor numbers, nor
 * white space.
 */
export function otherRunEnd(text: string, at: number, end: number, bits = WORD_OR_SPACE): number {
  while (at < end && (classAt(text, at, end) & bits) === 0) at += width(text, at);
  return at;
}

/** End of the run of ends of lines, and of slashes where `orSlash`. */
export function lineEndRunEnd(text: string, at: number, end: number, orSlash = false): number {
  while (at < end && (isLineEnd(text.charCodeAt(at)) || orSlash && text.charCodeAt(at) === 0x2f)) at++;
  return at;
}

/** Whether a code unit is a line feed or a carriage return. */
export function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d;
}

/** Length of `'s 't 'm 'd 're 've 'll` at `at`, or 0. */
export function contraction(text: string, at: number, end: number, anyCase: boolean): number {
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
export function whiteSpaceEnd(text: string, at: number, end: number): number {
  const run = runEnd(text, at, end, CharacterClass.space);
  return run < end && run - at > 1 ? run - 1 : run;
}

/** `\s*[\r\n]+|\s+(?!\S)|\s+` at white space. */
export function linesOrSpaceEnd(text: string, at: number, end: number): number {
  const run = runEnd(text, at, end, CharacterClass.space);
  for (let last = run - 1; last >= at; last--) {
    if (isLineEnd(text.charCodeAt(last))) return last + 1;
  }
  return run < end && run - at > 1 ? run - 1 : run;
}

/** The pieces that match, and what lies between two of them as one piece. */
export function scanMatches(match: Match): Scanner {
  return (text, start, end) => {
    for (let at = start; at < end; at += width(text, at)) {
      const matched = match(text, at, end);
      if (matched > at) return at === start ? matched : at;
    }
    return end;
  };
}

/** Pieces that match `isIn` as runs of at most `most` code points, and what lies between as it is. */
export function scanRuns(
  isIn: (text: string, at: number, end: number) => boolean,
  most = Infinity,
): Scanner {
  return (text, start, end) => {
    const inside = isIn(text, start, end);
    let at = start + width(text, start);
    for (let n = 1; at < end && isIn(text, at, end) === inside && !(inside && n >= most); n++) {
      at += width(text, at);
    }
    return at;
  };
}
