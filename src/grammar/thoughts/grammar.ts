/** The grammar of answers that may think first. @module */

import { choice, CONTROL_BYTE, type Expression, optional, repeat, Rules, sequence } from "../expression.ts";
import { anyText, marked, untilText } from "../free_text.ts";
import { type HarmonyAnswer, harmonyAnswer } from "../harmony/grammar.ts";
import { HARMONY_THOUGHTS, type ThoughtFormat, type ThoughtsAt } from "./format.ts";

/** Blanks between thoughts and what is said. */
const BLANKS_MAX = 4;
const PLACES = ["inside", "outside", "either"] as const;

/**
 * Where an answer begins is known once its prompt is, and its grammar before: so the grammar's texts begin with the name of the
 * place, as a control token that no vocabulary has. Whoever follows it goes on from there.
 */
const nameOf = (at: ThoughtsAt): string => `kumi begins ${at}`;

/** The bytes with which a grammar of thoughts is entered. */
export function entryBytes(at: ThoughtsAt): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(CONTROL_BYTE, ...new TextEncoder().encode(nameOf(at)));
}

/** The rules of answers that begin in these places; `root` is the first of them. */
function enter(rules: Rules, root: Expression & { kind: "rule" }, ways: Record<ThoughtsAt, Expression>) {
  const named = PLACES.map((at) => sequence({ kind: "control", text: nameOf(at) }, ways[at]));
  rules.define(root, choice(...named));
  return rules.all;
}

/** The rules of thoughts and of what is said behind them. */
export function thoughtRules(
  { open, close, around }: ThoughtFormat,
  said: readonly Expression[],
  isControl: (text: string) => boolean,
): readonly Expression[] {
  const rules = new Rules();
  const root = rules.declare();
  const fixed = (value: string) => marked(value, isControl);
  const blanks = repeat(blank(), 0, BLANKS_MAX);
  const rest = rules.embed(said);
  const answer = around === undefined
    ? rest
    : rules.add(choice(rest, sequence(fixed(around[0]), rest, optional(fixed(around[1])))));
  const thoughts = isControl(close) ? sequence(anyText(), fixed(close)) : untilText(close);
  const inside = rules.add(sequence(thoughts, blanks, answer));
  const begun = choice(sequence(blanks, fixed(open), inside), answer);
  return enter(rules, root, { inside, outside: answer, either: begun });
}

/** The same where thoughts have a channel of their own. */
export function harmonyRules(
  answer: HarmonyAnswer,
  isControl: (text: string) => boolean,
): readonly Expression[] {
  const rules = new Rules();
  const root = rules.declare();
  const whole = rules.add(harmonyAnswer(rules, answer, isControl));
  const { close } = HARMONY_THOUGHTS;
  const thoughts = isControl(close) ? sequence(anyText(), marked(close, isControl)) : untilText(close);
  const inside = sequence(thoughts, marked("<|start|>assistant", isControl), whole);
  return enter(rules, root, { inside, outside: whole, either: whole });
}

function blank(): Expression {
  const edges = [[[0x0a, 0x0a, 1], [0x20, 0x20, 1]] as const, []];
  return { kind: "automaton", dfa: { accepting: [false, true], edges } };
}
