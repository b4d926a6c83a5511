/** Strings: patterns, formats, lengths. @module */

import { both, type Dfa, ofSequences, repeated } from "../automata/dfa.ts";
import { anyJsonCharacter, jsonCharacters, toBytes } from "../automata/bytes.ts";
import { ANY } from "../automata/ranges.ts";
import { matchDfa, searchDfa } from "../automata/regex.ts";
import { Budget, GrammarError } from "../error.ts";
import { choice, type Expression, NEVER, sequence, text } from "../expression.ts";
import { FORMATS, MEANINGS } from "./formats.ts";
import { once } from "../../process/once.ts";
import type { View } from "./view.ts";

/** What a view says of strings. */
export type StringBounds = Pick<View, "patterns" | "formats" | "lengthMin" | "lengthMax" | "path">;

const WORK_MAX = 400_000;
const LENGTH_MAX = 1 << 30;
/** Patterns and formats that were seen last: schemas repeat theirs. */
const CACHE_MAX = 256;
const cache = new Map<string, Dfa>();

/** Keeps what was made last, by key. */
export function cached(key: string, make: () => Dfa): Dfa {
  const known = cache.get(key);
  if (known !== undefined) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const made = make();
  cache.set(key, made);
  if (cache.size > CACHE_MAX) cache.delete(cache.keys().next().value!);
  return made;
}

/** The automaton over code points of what is between the quotes; undefined where only lengths count. */
export function contentDfa(bounds: StringBounds): Dfa | undefined {
  const parts: Dfa[] = [];
  for (const { source, path } of bounds.patterns) {
    parts.push(named(path, () => cached(`p${source}`, () => searchDfa(source, workOf("The pattern")))));
  }
  for (const { name, path } of bounds.formats) {
    const source = FORMATS.get(name);
    if (source !== undefined) parts.push(cached(`f${name}`, () => matchDfa(source, workOf("The format"))));
    else if (!MEANINGS.has(name)) {
      throw new GrammarError(`The format ${JSON.stringify(name)} is not supported`, path);
    }
  }
  if (parts.length === 0) return undefined;
  const { lengthMin, lengthMax } = bounds;
  if (lengthMin > 0 || lengthMax < Infinity) {
    const states = lengthMax < Infinity ? lengthMax : lengthMin;
    if (states > 10_000) {
      throw new GrammarError(`A pattern with a length of ${states} is not supported`, bounds.path);
    }
    parts.push(repeated(ANY, lengthMin, lengthMax));
  }
  if (parts.length === 1) return parts[0];
  return named(bounds.path, () => parts.reduce((all, part) => both(all, part, workOf("A string's pattern"))));
}

function workOf(what: string): Budget {
  return new Budget(WORK_MAX, what);
}

function named<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof GrammarError && error.path === "") throw new GrammarError(error.message, path);
    throw error;
  }
}

const QUOTE = text('"');

/** A whole string of any characters, in all ways in which JSON writes them. */
const anyString = once((): Dfa => {
  // 0: before the quote, 1: between characters, last: behind the quote.
  const characters = anyJsonCharacter();
  const end = characters.accepting.length + 1;
  const place = (state: number) => characters.accepting[state] ? 1 : state + 1;
  const edges = characters.edges.map((own) =>
    own.map(([first, last, to]) => [first, last, place(to)] as const)
  );
  const inside = [...edges[0], [0x22, 0x22, end] as const].sort((a, b) => a[0] - b[0]);
  return {
    accepting: [...edges.map(() => false), false, true],
    edges: [[[0x22, 0x22, 1]], inside, ...edges.slice(1), []],
  };
});

/** Strings of a view that has no list of values. */
export function stringExpression(bounds: StringBounds): Expression {
  const content = contentDfa(bounds);
  if (content !== undefined) return quoted(content, bounds.path);
  const { lengthMin: least, lengthMax } = bounds;
  if (lengthMax < least) return NEVER;
  if (lengthMax === 0) return text('""');
  if (least === 0 && lengthMax === Infinity) return { kind: "automaton", dfa: anyString() };
  const most = lengthMax > LENGTH_MAX ? Infinity : lengthMax;
  if (least > LENGTH_MAX) throw new GrammarError(`minLength ${least} is not supported`, bounds.path);
  return sequence(QUOTE, { kind: "characters", dfa: anyJsonCharacter(), least, most }, QUOTE);
}

/** Automata over code points as they are spelled; patterns and formats come again in other schemas. */
const spelled = new WeakMap<Dfa, Dfa>();

/** Strings whose content an automaton accepts, each written in one way. */
export function quoted(content: Dfa, path: string): Expression {
  let dfa = spelled.get(content);
  if (dfa === undefined) {
    dfa = named(path, () => toBytes(content, jsonCharacters, workOf("A string's pattern")));
    spelled.set(content, dfa);
  }
  if (dfa.accepting.length > 30_000) throw new GrammarError("A string's pattern is too large", path);
  return sequence(QUOTE, { kind: "automaton", dfa }, QUOTE);
}

/** Bytes of strings that one automaton has at most, and of all strings of a list. */
const LISTED_BYTES = 30_000;
const LISTED_BYTES_MAX = 1_000_000;

/** Exactly these strings. */
export function stringList(strings: readonly string[], path: string): Expression {
  const encoder = new TextEncoder();
  const lists: number[][][] = [[]];
  let bytes = 0, all = 0;
  for (const value of strings) {
    const sequence = [...encoder.encode(JSON.stringify(value))];
    bytes += sequence.length;
    all += sequence.length;
    if (all > LISTED_BYTES_MAX) {
      throw new GrammarError(
        `Values with more than ${LISTED_BYTES_MAX} bytes together are not supported`,
        path,
      );
    }
    if (bytes > LISTED_BYTES && lists.at(-1)!.length > 0) {
      lists.push([]);
      bytes = sequence.length;
    }
    lists.at(-1)!.push(sequence);
  }
  return choice(...lists.map((list): Expression => ({ kind: "automaton", dfa: ofSequences(list) })));
}

/** The code points of a text; lone surrogates, which no text of UTF-8 has, stay what they are. */
export function codePoints(value: string): number[] {
  return Array.from(value, (c) => c.codePointAt(0)!);
}
