/** Regular expressions of ECMA-262 with the `u` flag, as trees. @module */

import { GrammarError } from "../error.ts";
import type { Dfa } from "./dfa.ts";
import { ANY, CODE_POINT_MAX, difference, intersection, type Range, type Ranges, union } from "./ranges.ts";
import { property } from "./properties.ts";

/** What an expression is. */
export type Syntax =
  | { readonly kind: "set"; readonly ranges: Ranges }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Syntax[] }
  | { readonly kind: "repeat"; readonly body: Syntax; readonly least: number; readonly most: number }
  | { readonly kind: "start" | "end" }
  /** What follows begins with it, or does not. */
  | { readonly kind: "look"; readonly ahead: Syntax; readonly negative: boolean }
  /** What an automaton accepts; no expression is read as one. */
  | { readonly kind: "automaton"; readonly dfa: Dfa };

const DIGIT: Ranges = [[0x30, 0x39]];
const WORD: Ranges = [[0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: Ranges = [[0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]];
const CLASSES: Readonly<Record<string, Ranges>> = {
  d: DIGIT,
  D: difference(ANY, DIGIT),
  w: WORD,
  W: difference(ANY, WORD),
  s: SPACE,
  S: difference(ANY, SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };
const REPEATS_MAX = 10_000;
const DEPTH_MAX = 200;

/** Reads an expression. Throws a GrammarError that says what is not understood, and where. */
export function parseRegex(source: string): Syntax {
  return new Parser(source).parse();
}

class Parser {
  readonly #text: readonly string[];
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#text = [...source];
  }

  parse(): Syntax {
    const result = this.#choice();
    if (this.#at < this.#text.length) this.#fail("unmatched )");
    return result;
  }

  #fail(what: string): never {
    const shown = this.#source.length > 80 ? `${this.#source.slice(0, 80)}…` : this.#source;
    throw new GrammarError(`Pattern ${JSON.stringify(shown)}: ${what}, at character ${this.#at + 1}`);
  }

  #peek(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#text[this.#at + i] !== text[i]) return false;
    return true;
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #choice(): Syntax {
    if (++this.#depth > DEPTH_MAX) this.#fail(`more than ${DEPTH_MAX} groups within each other`);
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): Syntax {
    const parts: Syntax[] = [];
    while (this.#at < this.#text.length && !this.#peek("|") && !this.#peek(")")) {
      parts.push(this.#repeats(this.#atom()));
    }
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #repeats(body: Syntax): Syntax {
    const bounds = this.#bounds();
    if (bounds === undefined) return body;
    if (body.kind === "start" || body.kind === "end" || body.kind === "look") this.#fail("nothing to repeat");
    this.#take("?"); // as few as possible or as many: the same language
    if (this.#bounds() !== undefined) this.#fail("nothing to repeat");
    return { kind: "repeat", body, least: bounds[0], most: bounds[1] };
  }

  #bounds(): [number, number] | undefined {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    const rest = this.#text.slice(this.#at, this.#at + 24).join("");
    const found = /^\{(\d+)(,?)(\d*)\}/.exec(rest);
    if (found === null) {
      if (this.#peek("{")) this.#fail("{ that is no repetition");
      return undefined;
    }
    this.#at += found[0].length;
    const least = Number(found[1]);
    const most = found[2] === "" ? least : found[3] === "" ? Infinity : Number(found[3]);
    if (least > REPEATS_MAX || (most !== Infinity && most > REPEATS_MAX)) {
      this.#fail(`a repetition above ${REPEATS_MAX}`);
    }
    if (least > most) this.#fail("a repetition with its numbers in the wrong order");
    return [least, most];
  }

  #atom(): Syntax {
    if (this.#take("^")) return { kind: "start" };
    if (this.#take("$")) return { kind: "end" };
    if (this.#take(".")) return { kind: "set", ranges: difference(ANY, LINE_ENDS) };
    if (this.#take("[")) return { kind: "set", ranges: this.#class() };
    if (this.#take("(")) return this.#group();
    if (this.#take("\\")) return this.#escape();
    for (const sign of ["*", "+", "?", "{", "}", "]"]) {
      if (this.#peek(sign)) this.#fail(`${sign} that stands alone`);
    }
    return single(this.#text[this.#at++].codePointAt(0)!);
  }

  #group(): Syntax {
    if (this.#take("?")) {
      for (const sign of ["=", "!"]) {
        if (!this.#take(sign)) continue;
        const ahead = this.#choice();
        if (!this.#take(")")) this.#fail(") is missing");
        return { kind: "look", ahead, negative: sign === "!" };
      }
      if (this.#peek("<=") || this.#peek("<!")) this.#fail("lookbehind is not supported");
      if (this.#take("<")) {
        while (this.#at < this.#text.length && !this.#peek(">")) this.#at++;
        if (!this.#take(">")) this.#fail("a group's name without an end");
      } else if (!this.#take(":")) this.#fail("a group of a kind that is not known");
    }
    const body = this.#choice();
    if (!this.#take(")")) this.#fail("a group without an end");
    return body;
  }

  #escape(): Syntax {
    const letter = this.#text[this.#at];
    if (letter === "b" || letter === "B") this.#fail(`\\${letter} is not supported`);
    if (/[1-9k]/.test(letter ?? "")) this.#fail("a reference back to a group is not supported");
    return { kind: "set", ranges: this.#escaped(false) };
  }

  /** What stands behind a backslash: a set. */
  #escaped(inClass: boolean): Ranges {
    const letter = this.#text[this.#at++];
    if (letter === undefined) this.#fail("a backslash at the end");
    if (letter in CLASSES) return CLASSES[letter];
    if (letter === "p" || letter === "P") return this.#property(letter === "P");
    if (letter === "b" && inClass) return [[8, 8]];
    if (letter in CONTROLS) {
      if (letter === "0" && /\d/.test(this.#text[this.#at] ?? "")) this.#fail("an octal escape");
      return one(CONTROLS[letter]);
    }
    if (letter === "x") return one(this.#hex(2));
    if (letter === "u") return one(this.#unicode());
    if (letter === "c") {
      const control = this.#text[this.#at++] ?? "";
      if (!/[A-Za-z]/.test(control)) this.#fail("\\c without a letter");
      return one(control.codePointAt(0)! % 32);
    }
    // Patterns in schemas escape more than they need to: a sign that means nothing stands for itself.
    if (/[A-Za-z0-9]/.test(letter)) this.#fail(`\\${letter} is not known`);
    return one(letter.codePointAt(0)!);
  }

  #hex(digits: number): number {
    const text = this.#text.slice(this.#at, this.#at + digits).join("");
    if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text)) {
      this.#fail(`not ${digits} hexadecimal digits`);
    }
    this.#at += digits;
    return parseInt(text, 16);
  }

  #unicode(): number {
    if (this.#take("{")) {
      let digits = "";
      while (this.#at < this.#text.length && !this.#peek("}")) digits += this.#text[this.#at++];
      if (!this.#take("}") || !/^[0-9a-fA-F]{1,6}$/.test(digits)) this.#fail("\\u{…} without a code point");
      const value = parseInt(digits, 16);
      if (value > CODE_POINT_MAX) this.#fail("a code point that is too large");
      return value;
    }
    const high = this.#hex(4);
    if (high < 0xd800 || high > 0xdbff || !this.#peek("\\u")) return high;
    const before = this.#at;
    this.#at += 2;
    const low = this.#hex(4);
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
    this.#at = before;
    return high;
  }

  #property(negated: boolean): Ranges {
    let name = "";
    if (!this.#take("{")) this.#fail("\\p without {");
    while (this.#at < this.#text.length && !this.#peek("}")) name += this.#text[this.#at++];
    if (!this.#take("}")) this.#fail("\\p{ without an end");
    const ranges = property(name);
    if (ranges === undefined) this.#fail(`\\p{${name}} is not known`);
    return negated ? difference(ANY, ranges) : ranges;
  }

  #class(): Ranges {
    const negated = this.#take("^");
    const sets: Ranges[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#text.length) this.#fail("a class without an end");
      const first = this.#member();
      if (!this.#peek("-") || this.#text[this.#at + 1] === "]") {
        sets.push(first);
        continue;
      }
      this.#at++;
      if (this.#at >= this.#text.length) this.#fail("a class without an end");
      const last = this.#member();
      if (!isSingle(first) || !isSingle(last)) sets.push(first, one(0x2d), last);
      else if (first[0][0] > last[0][0]) this.#fail("a range with its ends in the wrong order");
      else sets.push([[first[0][0], last[0][0]]]);
    }
    const all = union(...sets);
    return negated ? difference(ANY, all) : intersection(all, ANY);
  }

  #member(): Ranges {
    if (this.#take("\\")) return this.#escaped(true);
    return one(this.#text[this.#at++].codePointAt(0)!);
  }
}

function one(value: number): Ranges {
  return [[value, value]];
}

function single(value: number): Syntax {
  return { kind: "set", ranges: intersection(one(value), ANY) };
}

function isSingle(ranges: Ranges): ranges is readonly [Range] {
  return ranges.length === 1 && ranges[0][0] === ranges[0][1];
}
