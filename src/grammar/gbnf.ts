/** Grammars in the notation of llama.cpp (GBNF). @module */

import { utf8 } from "./automata/bytes.ts";
import { toBytes } from "./automata/bytes.ts";
import { ANY, difference, intersection, normalize, of, type Range } from "./automata/ranges.ts";
import { syntaxDfa } from "./automata/regex.ts";
import type { Syntax } from "./automata/syntax.ts";
import { Budget, GrammarError } from "./error.ts";
import { choice, EMPTY, type Expression, repeat, Rules, sequence, text } from "./expression.ts";

const WORK_MAX = 400_000;
const LENGTH_MAX = 1 << 20;
const REPEATS_MAX = 10_000;
const DEPTH_MAX = 200;

/** A part of a rule: an expression, or one that calls rules. */
type Part =
  | { readonly kind: "plain"; readonly syntax: Syntax; readonly text?: string }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Part[] }
  | { readonly kind: "repeat"; readonly body: Part; readonly least: number; readonly most: number }
  | { readonly kind: "rule"; readonly name: string; readonly at: number };

/** The rules of a grammar, `root` first. Throws a GrammarError that names the line. */
export function gbnfRules(source: string): readonly Expression[] {
  if (source.length > LENGTH_MAX) throw new GrammarError(`A grammar may have ${LENGTH_MAX} characters`);
  const parser = new Parser(source);
  const parts = parser.parse();
  const rules = new Rules();
  const names = new Map(
    [...parts.keys()].sort((a, b) => Number(b === "root") - Number(a === "root")).map(
      (name) => [name, rules.declare()],
    ),
  );
  if (!parts.has("root")) throw new GrammarError("The grammar has no rule root");
  const budget = new Budget(WORK_MAX, "The grammar");
  const expressionOf = (part: Part): Expression => {
    const plain = plainOf(part);
    if (plain !== undefined) {
      if (plain.text !== undefined) return text(plain.text);
      return { kind: "automaton", dfa: toBytes(syntaxDfa(plain.syntax, budget), utf8, budget) };
    }
    switch (part.kind) {
      case "sequence":
        return sequence(...part.parts.map(expressionOf));
      case "choice":
        return choice(...part.parts.map(expressionOf));
      case "repeat": {
        const body = expressionOf(part.body);
        return repeat(body.kind === "rule" ? body : rules.add(body), part.least, part.most);
      }
      case "rule": {
        const rule = names.get(part.name);
        if (rule === undefined) {
          throw new GrammarError(`There is no rule ${part.name}`, parser.place(part.at));
        }
        return rule;
      }
      default:
        return EMPTY;
    }
  };
  for (const [name, rule] of names) rules.define(rule, expressionOf(parts.get(name)!));
  return rules.all;
}

/** A part without calls as one expression; undefined for others. */
function plainOf(part: Part): { syntax: Syntax; text?: string } | undefined {
  switch (part.kind) {
    case "plain":
      return part;
    case "rule":
      return undefined;
    case "repeat": {
      const body = plainOf(part.body);
      return body && { syntax: { kind: "repeat", body: body.syntax, least: part.least, most: part.most } };
    }
    default: {
      const parts = part.parts.map(plainOf);
      if (parts.includes(undefined)) return undefined;
      return { syntax: { kind: part.kind, parts: parts.map((one) => one!.syntax) } };
    }
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#text = source;
  }

  parse(): Map<string, Part> {
    const rules = new Map<string, Part>();
    this.#blank(true);
    while (this.#at < this.#text.length) {
      const name = this.#name();
      if (name === undefined) this.#fail("A rule begins with its name");
      this.#blank(false);
      if (!this.#take("::=")) this.#fail(`::= is missing behind ${name}`);
      this.#blank(true);
      if (rules.has(name)) this.#fail(`The rule ${name} is there twice`);
      rules.set(name, this.#choice(false));
      if (this.#at < this.#text.length && !/[\r\n]/.test(this.#text[this.#at])) this.#fail("Unexpected sign");
      this.#blank(true);
    }
    return rules;
  }

  place(at: number): string {
    const lines = this.#text.slice(0, at).split("\n");
    return `line ${lines.length}, column ${lines[lines.length - 1].length + 1}`;
  }

  #fail(what: string): never {
    throw new GrammarError(what, this.place(this.#at));
  }

  #take(sign: string): boolean {
    if (!this.#text.startsWith(sign, this.#at)) return false;
    this.#at += sign.length;
    return true;
  }

  /** Passes blanks and comments, and ends of lines where a rule may go on behind them. */
  #blank(lines: boolean): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at];
      if (c === "#") {
        while (this.#at + 1 < this.#text.length && !/[\r\n]/.test(this.#text[this.#at + 1])) this.#at++;
      } else if (c !== " " && c !== "\t" && !(lines && /[\r\n]/.test(c))) return;
    }
  }

  #name(): string | undefined {
    const found = /[A-Za-z0-9_-]+/y;
    found.lastIndex = this.#at;
    const name = found.exec(this.#text)?.[0];
    if (name !== undefined) this.#at += name.length;
    return name;
  }

  #choice(nested: boolean): Part {
    if (++this.#depth > DEPTH_MAX) this.#fail(`More than ${DEPTH_MAX} brackets within each other`);
    const parts = [this.#sequence(nested)];
    while (this.#take("|")) {
      this.#blank(true);
      parts.push(this.#sequence(nested));
    }
    this.#depth--;
    return parts.length === 1 ? parts[0] : { kind: "choice", parts };
  }

  #sequence(nested: boolean): Part {
    const parts: Part[] = [];
    for (;;) {
      const atom = this.#atom();
      if (atom === undefined) break;
      parts.push(this.#repeats(atom));
      this.#blank(nested);
    }
    if (parts.length === 1) return parts[0];
    return parts.length === 0
      ? { kind: "plain", syntax: { kind: "sequence", parts: [] }, text: "" }
      : { kind: "sequence", parts };
  }

  #atom(): Part | undefined {
    const at = this.#at;
    if (this.#take('"')) return this.#literal();
    if (this.#take("[")) return this.#class();
    if (this.#take(".")) return set(ANY);
    if (this.#take("(")) {
      this.#blank(true);
      const body = this.#choice(true);
      this.#blank(true);
      if (!this.#take(")")) this.#fail(") is missing");
      return body;
    }
    if (this.#take("<")) this.#fail("Tokens by name are not supported");
    const name = this.#name();
    return name === undefined ? undefined : { kind: "rule", name, at };
  }

  #repeats(body: Part): Part {
    for (const [sign, least, most] of [["*", 0, Infinity], ["+", 1, Infinity], ["?", 0, 1]] as const) {
      if (this.#take(sign)) return this.#repeats({ kind: "repeat", body, least, most });
    }
    const bounds = /\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}/y;
    bounds.lastIndex = this.#at;
    const found = bounds.exec(this.#text);
    if (found === null) return body;
    const [all, first, comma, last] = found;
    const least = first === "" ? 0 : Number(first);
    const most = comma === "" ? least : last === "" ? Infinity : Number(last);
    if (least > REPEATS_MAX || most !== Infinity && most > REPEATS_MAX) {
      this.#fail(`More than ${REPEATS_MAX} times`);
    }
    if (least > most || first === "" && last === "") this.#fail("A repetition with wrong numbers");
    this.#at += all.length;
    return this.#repeats({ kind: "repeat", body, least, most });
  }

  #literal(): Part {
    let value = "";
    while (!this.#take('"')) value += this.#character();
    const parts: Syntax[] = Array.from(value, (c) => ({ kind: "set", ranges: of(c) }));
    return { kind: "plain", syntax: { kind: "sequence", parts }, text: value };
  }

  #class(): Part {
    const negated = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      const first = this.#character().codePointAt(0)!;
      let last = first;
      if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]") {
        this.#at++;
        last = this.#character().codePointAt(0)!;
      }
      if (last < first) this.#fail("A range with its ends in the wrong order");
      ranges.push([first, last]);
    }
    const all = intersection(normalize(ranges), ANY);
    return set(negated ? difference(ANY, all) : all);
  }

  #character(): string {
    if (this.#at >= this.#text.length) this.#fail("The grammar ends inside a literal or a class");
    const c = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    this.#at += c.length;
    if (c !== "\\") return c;
    const letter = this.#text[this.#at++];
    const digits = { x: 2, u: 4, U: 8 }[letter ?? ""];
    if (digits !== undefined) {
      const hex = this.#text.slice(this.#at, this.#at + digits);
      if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length !== digits || parseInt(hex, 16) > 0x10ffff) {
        this.#fail(`\\${letter} without ${digits} hexadecimal digits`);
      }
      this.#at += digits;
      return String.fromCodePoint(parseInt(hex, 16));
    }
    const known = { n: "\n", r: "\r", t: "\t" }[letter ?? ""];
    if (known !== undefined) return known;
    if (letter === undefined || /[A-Za-z0-9]/.test(letter)) this.#fail(`\\${letter ?? ""} is not known`);
    return letter;
  }
}

function set(ranges: readonly Range[]): Part {
  return { kind: "plain", syntax: { kind: "set", ranges } };
}
