/** From code points to the bytes that a text has: UTF-8, and characters of JSON strings. @module */

import { once } from "../../process/once.ts";
import type { Budget } from "../error.ts";
import { type Dfa, type Edge, minimize } from "./dfa.ts";
import { difference, intersection, type Range, type Ranges } from "./ranges.ts";

/** Ranges of bytes, one after another. */
export type ByteSequence = readonly Range[];

/** First code point of each length in UTF-8, and behind the last. */
const LENGTHS = [0, 0x80, 0x800, 0x10000, 0x110000];

/** The UTF-8 of code points first … last, as few sequences of ranges of bytes. */
export function utf8([first, last]: Range): ByteSequence[] {
  const result: ByteSequence[] = [];
  for (let length = 1; length <= 4; length++) {
    const from = Math.max(first, LENGTHS[length - 1]), to = Math.min(last, LENGTHS[length] - 1);
    if (from <= to) result.push(...split(from, to, length));
  }
  return result;
}

const LEADS = [0, 0, 0xc0, 0xe0, 0xf0];

/** Sequences of `length` bytes; the first byte carries what is left of the code point. */
function split(first: number, last: number, length: number): ByteSequence[] {
  if (length === 1) return [[[first, last]]];
  const tail = (a: number, b: number, n: number): ByteSequence[] => {
    // a … b, of n times six bits, as continuation bytes.
    if (n === 0) return [[]];
    const unit = 64 ** (n - 1);
    const [high, top] = [Math.floor(a / unit), Math.floor(b / unit)];
    const byte = (x: number, y: number): Range => [0x80 | x, 0x80 | y];
    if (high === top) {
      return tail(a % unit, b % unit, n - 1).map((rest) => [byte(high, high), ...rest]);
    }
    const parts: ByteSequence[] = [];
    const low = a % unit === 0 ? high : high + 1;
    const full = b % unit === unit - 1 ? top : top - 1;
    if (low !== high) {
      parts.push(...tail(a % unit, unit - 1, n - 1).map((rest) => [byte(high, high), ...rest]));
    }
    if (low <= full) {
      const any = Array.from({ length: n - 1 }, () => [0x80, 0xbf] as const);
      parts.push([byte(low, full), ...any]);
    }
    if (full !== top) parts.push(...tail(0, b % unit, n - 1).map((rest) => [byte(top, top), ...rest]));
    return parts;
  };
  const unit = 64 ** (length - 1);
  const result: ByteSequence[] = [];
  for (let lead = Math.floor(first / unit); lead <= Math.floor(last / unit); lead++) {
    const a = Math.max(first, lead * unit) % unit, b = Math.min(last, lead * unit + unit - 1) % unit;
    result.push(
      ...tail(a, b, length - 1).map((
        rest,
      ) => [[LEADS[length] | lead, LEADS[length] | lead] as const, ...rest]),
    );
  }
  return result;
}

const ascii = (text: string): ByteSequence =>
  Array.from(new TextEncoder().encode(text), (byte) => [byte, byte] as const);

/** Characters that JSON strings hold only escaped, each in its shortest way. */
const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x22, '\\"'],
  [0x5c, "\\\\"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
]);
const PLAIN: Ranges = [[0x20, 0x21], [0x23, 0x5b], [0x5d, 0xd7ff], [0xe000, 0x10ffff]];

/** Code points as `JSON.stringify` writes them inside a string: one way each. */
export function jsonCharacters(range: Range): ByteSequence[] {
  const escaped = difference([range], PLAIN).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => {
      const c = first + i;
      return ascii(ESCAPES.get(c) ?? `\\u${c.toString(16).padStart(4, "0")}`);
    })
  );
  return [...intersection([range], PLAIN).flatMap(utf8), ...escaped];
}

const HEX: Ranges = [[0x30, 0x39], [0x41, 0x46], [0x61, 0x66]];

/**
 * One character of a JSON string in every way that JSON has: as it is, by a letter, by `\u` and four digits, two of those for one
 * beyond the first 65,536 (RFC 8259, section 7).
 */
export const anyJsonCharacter = once((): Dfa => {
  const accepting: boolean[] = [];
  const edges: Edge[][] = [];
  const state = (accepts: boolean) => (edges.push([]), accepting.push(accepts) - 1);
  const start = state(false), end = state(true);
  const link = (from: number, ranges: Ranges, to: number) => {
    for (const [first, last] of ranges) edges[from].push([first, last, to]);
  };
  const chain = (from: number, steps: readonly Ranges[], to: number) => {
    steps.forEach((ranges, i) => {
      const next = i === steps.length - 1 ? to : state(false);
      link(from, ranges, next);
      from = next;
    });
  };
  for (const sequence of PLAIN.flatMap(utf8)) {
    // Sequences of one lead byte that differ behind it share the state, as UTF-8's do.
    let from = start;
    sequence.forEach(([first, last], i) => {
      if (i === sequence.length - 1) return link(from, [[first, last]], end);
      const known = edges[from].find(([a, b]) => a === first && b === last);
      const next = known?.[2] ?? state(false);
      if (known === undefined) link(from, [[first, last]], next);
      from = next;
    });
  }
  const escape = state(false), hex = state(false);
  link(start, [[0x5c, 0x5c]], escape);
  link(escape, Array.from(ascii('"\\/bfnrt'), (range) => range), end);
  link(escape, [[0x75, 0x75]], hex);
  chain(hex, [[[0x30, 0x39], [0x41, 0x43], [0x45, 0x46], [0x61, 0x63], [0x65, 0x66]], HEX, HEX, HEX], end);
  const surrogate = state(false);
  link(hex, [[0x44, 0x44], [0x64, 0x64]], surrogate);
  chain(surrogate, [[[0x30, 0x37]], HEX, HEX], end);
  const low = [
    [[0x5c, 0x5c]],
    [[0x75, 0x75]],
    [[0x44, 0x44], [0x64, 0x64]],
    [[0x43, 0x46], [0x63, 0x66]],
    HEX,
    HEX,
  ] as const;
  chain(surrogate, [[[0x38, 0x39], [0x41, 0x42], [0x61, 0x62]], HEX, HEX, ...low], end);
  for (const own of edges) own.sort((a, b) => a[0] - b[0]);
  return minimize({ accepting, edges });
});

/** An automaton over code points as one over bytes; `spell`: how a range of them is written. */
export function toBytes(dfa: Dfa, spell: (range: Range) => readonly ByteSequence[], budget: Budget): Dfa {
  const accepting = [...dfa.accepting];
  const edges: Edge[][] = dfa.edges.map(() => []);
  // Between two states of the first automaton stand states of the second that are known by what is still to come.
  const between = new Map<string, number>();
  dfa.edges.forEach((own, from) => {
    const ways: { sequence: ByteSequence; to: number }[] = own.flatMap(([first, last, to]) =>
      spell([first, last]).map((sequence) => ({ sequence, to }))
    );
    budget.spend(ways.length);
    spread(from, ways);
  });

  /** Gives a state the edges of what may come from it. */
  function spread(from: number, ways: readonly { sequence: ByteSequence; to: number }[]): void {
    const borders = new Set<number>();
    for (const { sequence: [[first, last]] } of ways) borders.add(first).add(last + 1);
    const sorted = [...borders].sort((a, b) => a - b);
    for (let i = 0; i + 1 < sorted.length; i++) {
      const first = sorted[i];
      const here = ways.filter(({ sequence: [[low, high]] }) => low <= first && first <= high);
      if (here.length === 0) continue;
      edges[from].push([first, sorted[i + 1] - 1, follow(here)]);
    }
  }

  function follow(ways: readonly { sequence: ByteSequence; to: number }[]): number {
    // No spelling is the beginning of another one, so either all end here or none.
    if (ways[0].sequence.length === 1) return ways[0].to;
    const rest = ways.map(({ sequence, to }) => ({ sequence: sequence.slice(1), to }));
    const key = rest.map(({ sequence, to }) => `${sequence.join(";")}>${to}`).sort().join("|");
    const known = between.get(key);
    if (known !== undefined) return known;
    budget.spend(1);
    const state = accepting.push(false) - 1;
    edges.push([]);
    between.set(key, state);
    spread(state, rest);
    return state;
  }
  return minimize({ accepting, edges: edges.map((own) => joined(own)) });
}

/** Neighbouring edges to one state are one. */
function joined(edges: readonly Edge[]): Edge[] {
  const result: Edge[] = [];
  for (const edge of edges) {
    const before = result.at(-1);
    if (before !== undefined && before[1] + 1 === edge[0] && before[2] === edge[2]) {
      result[result.length - 1] = [before[0], edge[1], edge[2]];
    } else result.push(edge);
  }
  return result;
}
