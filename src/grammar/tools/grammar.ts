/** The grammar of answers that may call tools: text, then calls whose arguments fit their schemas. @module */

import type { Dfa, Edge } from "../automata/dfa.ts";
import {
  choice,
  CONTROL_BYTE,
  EMPTY,
  type Expression,
  repeat,
  Rules,
  sequence,
  text,
} from "../expression.ts";
import { GrammarError } from "../error.ts";
import { schemaRules } from "../json_schema/compile.ts";
import { partsOf, type ToolFormat } from "./format.ts";

/** A function that a model may call. */
export interface Tool {
  readonly name: string;
  /** The schema of its arguments; undefined: any object. */
  readonly parameters?: unknown;
}

/** Which tools an answer calls. */
export interface ToolChoice {
  readonly tools: readonly Tool[];
  /** Whether there must be a call; otherwise there may be text alone. */
  readonly required: boolean;
  /** Whether there may be several. */
  readonly parallel: boolean;
}

const ANY_OBJECT = { type: "object" };
const CALLS_MAX = 32;

/**
 * The rules of an answer in a format. `isControl`: whether a text is that of one of the vocabulary's control tokens. Throws a
 * GrammarError that names the tool whose schema cannot be followed.
 */
export function toolRules(
  format: ToolFormat,
  wanted: ToolChoice,
  isControl: (text: string) => boolean,
): readonly Expression[] {
  const rules = new Rules();
  const root = rules.declare();
  const { call: [before, between, after], open, close, separator, trigger, isWhole } = format;
  const fixed = (value: string) => marked(value, isControl);
  const one = rules.declare();
  rules.define(
    one,
    choice(...wanted.tools.map(({ name, parameters }) => {
      const quotedName = before.includes('"name"') || isWhole ? JSON.stringify(name).slice(1, -1) : name;
      return sequence(
        fixed(before),
        text(quotedName),
        fixed(between),
        argumentsOf(rules, name, parameters),
        fixed(after),
      );
    })),
  );
  const more = separator === undefined || !wanted.parallel
    ? EMPTY
    : repeat(sequence(fixed(separator), one), 0, CALLS_MAX - 1);
  const calls = sequence(fixed(open), one, more, fixed(close));
  const called = sequence(fixed(trigger), calls);
  if (wanted.required) rules.define(root, called);
  else if (isWhole) rules.define(root, choice(called, notBeginning(trigger)));
  else if (isControl(trigger)) rules.define(root, sequence(anyText(), choice(EMPTY, called)));
  else rules.define(root, choice(withoutText(trigger), sequence(untilText(trigger), calls)));
  return rules.all;
}

/** A text in which control tokens may be written. */
function marked(value: string, isControl: (text: string) => boolean): Expression {
  if (value === "") return EMPTY;
  return sequence(
    ...partsOf(value).map((part): Expression =>
      isControl(part) ? { kind: "control", text: part } : text(part)
    ),
  );
}

function argumentsOf(rules: Rules, name: string, parameters: unknown): Expression {
  try {
    return embed(rules, schemaRules(parameters ?? ANY_OBJECT));
  } catch (error) {
    if (error instanceof GrammarError) {
      throw new GrammarError(`The parameters of tool ${JSON.stringify(name)}: ${error.message}`);
    }
    throw error;
  }
}

/** Rules of another grammar as part of this one. */
function embed(rules: Rules, others: readonly Expression[]): Expression {
  const own = others.map(() => rules.declare());
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
  others.forEach((body, i) => rules.define(own[i], moved(body)));
  return own[0];
}

/** All bytes but the one before control tokens. */
const BYTES = 256;

/** The automaton that looks for a text: state i has seen its first i bytes. */
function searching(needle: string, ending: "never" | "at once"): Dfa {
  const bytes = new TextEncoder().encode(needle);
  const n = bytes.length;
  const fallback = new Array<number>(n).fill(0);
  for (let i = 1, k = 0; i < n; i++) {
    while (k > 0 && bytes[i] !== bytes[k]) k = fallback[k - 1];
    if (bytes[i] === bytes[k]) k++;
    fallback[i] = k;
  }
  const step = (state: number, byte: number): number => {
    while (state > 0 && bytes[state] !== byte) state = fallback[state - 1];
    return bytes[state] === byte ? state + 1 : 0;
  };
  const edges = Array.from({ length: n }, (_, state) => {
    const own: Edge[] = [];
    for (let byte = 0; byte < BYTES; byte++) {
      if (byte === CONTROL_BYTE) continue;
      const to = step(state, byte);
      if (to === n && ending === "never") continue;
      const last = own.at(-1);
      if (last !== undefined && last[2] === to && last[1] === byte - 1) {
        own[own.length - 1] = [last[0], byte, to];
      } else own.push([byte, byte, to]);
    }
    return own;
  });
  return ending === "never"
    ? { accepting: edges.map(() => true), edges }
    : { accepting: [...edges.map(() => false), true], edges: [...edges, []] };
}

/** Texts in which another one is not. */
function withoutText(needle: string): Expression {
  return { kind: "automaton", dfa: searching(needle, "never") };
}

/** Texts that end with the first time that another one is in them. */
function untilText(needle: string): Expression {
  return { kind: "automaton", dfa: searching(needle, "at once") };
}

function anyText(): Expression {
  const edges = [[[0, CONTROL_BYTE - 1, 0] as const]];
  return { kind: "automaton", dfa: { accepting: [true], edges } };
}

/** Texts that do not begin with the first sign of another one, blanks aside. */
function notBeginning(start: string): Expression {
  const sign = new TextEncoder().encode(start)[0];
  const blanks: Edge[] = [[0x09, 0x0a, 0], [0x0d, 0x0d, 0], [0x20, 0x20, 0]];
  const others: Edge[] = [[0, 0x08, 1], [0x0b, 0x0c, 1], [0x0e, 0x1f, 1], [0x21, sign - 1, 1], [
    sign + 1,
    CONTROL_BYTE - 1,
    1,
  ]];
  const edges = [[...blanks, ...others].sort((a, b) => a[0] - b[0]), [[0, CONTROL_BYTE - 1, 1] as const]];
  return { kind: "automaton", dfa: { accepting: [true, true], edges } };
}
