/**
 * Finds special tokens in a text: those with longer texts first over the whole text, then from left to right.
 */

import { spaceEnd, spaceStart } from "./strips.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** A special token at text[start, end), with the white space that it takes with it. */
export interface SpecialMatch {
  readonly start: number;
  readonly end: number;
  readonly id: number;
}

export class SpecialMatcher {
  readonly #vocabulary: Vocabulary;
  /** Ids by falling length of their UTF-8 text, then rising id. */
  readonly #all: readonly number[];
  readonly #userDefined: readonly number[];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    const lengths = new Map<number, number>();
    for (const id of vocabulary.specialIds()) {
      const length = vocabulary.texts.bytesOf(id);
      if (length > 0) lengths.set(id, length);
    }
    this.#all = [...lengths.keys()].sort((a, b) => lengths.get(b)! - lengths.get(a)! || a - b);
    this.#userDefined = this.#all.filter((id) => !vocabulary.isControl(id));
  }

  /**
   * Matches in order of position. User-defined tokens are always matched, control and unknown tokens only
   * with `parseControl`, and then only where no code unit is marked in `userOwned`.
   */
  find(text: string, parseControl: boolean, userOwned?: Uint8Array): SpecialMatch[] {
    const candidates = parseControl ? this.#all : this.#userDefined;
    const matches: SpecialMatch[] = [];
    const taken = new Taken(text.length);
    for (const id of candidates) {
      const token = this.#vocabulary.texts.at(id);
      const owned = this.#vocabulary.isControl(id) ? userOwned : undefined;
      for (let at = text.indexOf(token); at >= 0; at = text.indexOf(token, at)) {
        const end = at + token.length;
        const free = taken.nextFree(at, end);
        if (free > at) {
          at = free;
        } else if (owned !== undefined && hasMark(owned, at, end)) {
          at++;
        } else {
          matches.push({ start: at, end, id });
          taken.take(at, end);
          at = end;
        }
      }
    }
    return this.#widened(text, matches.sort((a, b) => a.start - b.start));
  }

  /** Matches with the white space that their tokens take: the earlier one first. */
  #widened(text: string, matches: SpecialMatch[]): SpecialMatch[] {
    const { left, right } = this.#vocabulary.strips;
    if (left.size === 0 && right.size === 0) return matches;
    let before = 0;
    return matches.map(({ start, end, id }, i) => {
      const next = matches[i + 1]?.start ?? text.length;
      const match = {
        start: left.has(id) ? spaceStart(text, start, before) : start,
        end: right.has(id) ? spaceEnd(text, end, next) : end,
        id,
      };
      before = match.end;
      return match;
    });
  }
}

/** Which parts of a text are taken by matches; allocates on the first one only. */
class Taken {
  #ends: Uint32Array | undefined;
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  take(start: number, end: number): void {
    this.#ends ??= new Uint32Array(this.#length);
    this.#ends.fill(end, start, end);
  }

  /**
   * `start` when [start, end) is free, else the end of the match in the way. Matches are taken longest first,
   * so one that overlaps [start, end) covers its first or its last unit.
   */
  nextFree(start: number, end: number): number {
    if (this.#ends === undefined) return start;
    return this.#ends[start] || this.#ends[end - 1] || start;
  }
}

function hasMark(marks: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (marks[i] !== 0) return true;
  return false;
}
