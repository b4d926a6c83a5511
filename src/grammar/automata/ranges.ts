/** Sets of numbers, code points or bytes, as ascending ranges that do not touch. @module */

/** First and last. */
export type Range = readonly [number, number];
export type Ranges = readonly Range[];

export const CODE_POINT_MAX = 0x10ffff;

/** Every code point that is a character: not the surrogates. */
export const ANY: Ranges = [[0, 0xd7ff], [0xe000, CODE_POINT_MAX]];

/** The ranges in order, those that touch as one. */
export function normalize(ranges: Iterable<Range>): Ranges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = result.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

export function union(...sets: Ranges[]): Ranges {
  return normalize(sets.flat());
}

/** What is in both. */
export function intersection(a: Ranges, b: Ranges): Ranges {
  const result: Range[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const first = Math.max(a[i][0], b[j][0]), last = Math.min(a[i][1], b[j][1]);
    if (first <= last) result.push([first, last]);
    if (a[i][1] < b[j][1]) i++;
    else j++;
  }
  return result;
}

/** What is in `all` and not in `set`. */
export function difference(all: Ranges, set: Ranges): Ranges {
  const result: Range[] = [];
  for (const [first, last] of all) {
    let from = first;
    for (const [low, high] of set) {
      if (high < from || low > last) continue;
      if (low > from) result.push([from, low - 1]);
      from = high + 1;
    }
    if (from <= last) result.push([from, last]);
  }
  return result;
}

/** The code points of a text. */
export function of(text: string): Ranges {
  return normalize(Array.from(text, (c) => [c.codePointAt(0)!, c.codePointAt(0)!] as const));
}
