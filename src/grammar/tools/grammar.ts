/** The grammar of answers that may call tools: text, then calls whose arguments fit their schemas. @module */

import type { Edge } from "../automata/dfa.ts";
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
import { anyText, marked, untilText, withoutText } from "../free_text.ts";
import type { ToolFormat } from "./format.ts";
import { taggedArguments } from "./tagged.ts";

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
  wanted: ToolChoice & { readonly answer?: readonly Expression[] },
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
        argumentsOf(rules, format, { name, parameters }, isControl),
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
  else if (wanted.answer !== undefined) rules.define(root, choice(rules.embed(wanted.answer), called));
  else if (isWhole) rules.define(root, choice(called, notBeginning(trigger)));
  else if (isControl(trigger)) rules.define(root, sequence(anyText(), choice(EMPTY, called)));
  else rules.define(root, choice(withoutText(trigger), sequence(untilText(trigger), calls)));
  return rules.all;
}

/** Throws a GrammarError that names the tool. */
export function argumentsOf(
  rules: Rules,
  { tags }: Pick<ToolFormat, "tags">,
  { name, parameters }: Tool,
  isControl: (text: string) => boolean,
): Expression {
  try {
    if (tags !== undefined) return taggedArguments(rules, tags, parameters, isControl);
    return rules.embed(schemaRules(parameters ?? ANY_OBJECT));
  } catch (error) {
    if (error instanceof GrammarError) {
      throw new GrammarError(`The parameters of tool ${JSON.stringify(name)}: ${error.message}`);
    }
    throw error;
  }
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
