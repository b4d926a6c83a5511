/** What a grammar is made of. @module */

import type { Dfa } from "./automata/dfa.ts";

/** A part of a grammar. */
export type Expression =
  /** Exactly this text. */
  | { readonly kind: "text"; readonly text: string }
  /** The control token of this text. */
  | { readonly kind: "control"; readonly text: string }
  /** What an automaton over bytes accepts. */
  | { readonly kind: "automaton"; readonly dfa: Dfa }
  /** So many times what an automaton over bytes accepts, whose ends lead nowhere: characters. */
  | { readonly kind: "characters"; readonly dfa: Dfa; readonly least: number; readonly most: number }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Expression[] }
  /** `most` may be Infinity. */
  | { readonly kind: "repeat"; readonly body: Expression; readonly least: number; readonly most: number }
  | { readonly kind: "rule"; readonly rule: number };

/** Before the text of a control token: no text of UTF-8 has it. */
export const CONTROL_BYTE = 0xff;

/** Nothing at all fits: a choice of nothing. */
export const NEVER: Expression = { kind: "choice", parts: [] };
/** The empty text. */
export const EMPTY: Expression = { kind: "sequence", parts: [] };

export function text(value: string): Expression {
  return value === "" ? EMPTY : { kind: "text", text: value };
}

export function sequence(...parts: Expression[]): Expression {
  if (parts.includes(NEVER)) return NEVER;
  const flat = parts.flatMap((part) => part.kind === "sequence" ? part.parts : [part]);
  return flat.length === 1 ? flat[0] : { kind: "sequence", parts: flat };
}

export function choice(...parts: Expression[]): Expression {
  const flat = parts.flatMap((part) => part.kind === "choice" ? part.parts : [part]);
  if (flat.length === 0) return NEVER;
  return flat.length === 1 ? flat[0] : { kind: "choice", parts: flat };
}

export function optional(body: Expression): Expression {
  return body === NEVER ? EMPTY : { kind: "repeat", body, least: 0, most: 1 };
}

export function repeat(body: Expression, least: number, most: number): Expression {
  if (most === 0) return EMPTY;
  if (body === NEVER) return least === 0 ? EMPTY : NEVER;
  return { kind: "repeat", body, least, most };
}

/** Rules by number; the first one is where a text begins. */
export class Rules {
  readonly #rules: (Expression | undefined)[] = [];

  /** A rule that is to be defined, as what stands for it. */
  declare(): Expression & { kind: "rule" } {
    this.#rules.push(undefined);
    return { kind: "rule", rule: this.#rules.length - 1 };
  }

  define({ rule }: Expression & { kind: "rule" }, body: Expression): void {
    this.#rules[rule] = body;
  }

  /** A new rule. */
  add(body: Expression): Expression & { kind: "rule" } {
    const rule = this.declare();
    this.define(rule, body);
    return rule;
  }

  /** Rules of another grammar as part of this one: what stands for their first. */
  embed(others: readonly Expression[]): Expression {
    const own = others.map(() => this.declare());
    const moved = (part: Expression): Expression => {
      switch (part.kind) {
        case "rule":
          return own[part.rule];
        case "repeat":
          return { ...part, body: moved(part.body) };
        case "sequence":
        case "choice":
          return part.parts.length === 0 ? part : { ...part, parts: part.parts.map(moved) };
        default:
          return part;
      }
    };
    others.forEach((body, i) => this.define(own[i], moved(body)));
    return own[0];
  }

  /** All of them. Throws an Error where one was declared and not defined. */
  get all(): readonly Expression[] {
    return this.#rules.map((rule, i) => {
      if (rule === undefined) throw new Error(`Rule ${i} has no body`);
      return rule;
    });
  }
}
