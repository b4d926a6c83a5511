/** The grammar of gpt-oss' answers: thoughts and remarks, then what is said or a call. @module */

import { choice, type Expression, optional, repeat, type Rules, sequence, text } from "../expression.ts";
import { anyText, marked, untilText } from "../free_text.ts";
import { HARMONY } from "../tools/format.ts";
import { argumentsOf, type ToolChoice } from "../tools/grammar.ts";

/** Messages before the last one. */
const MESSAGES_MAX = 16;

/** What an answer must be. */
export interface HarmonyAnswer {
  /** What may be called; undefined: nothing. An answer has one call at most. */
  readonly calls?: ToolChoice;
  /** What is said at the end; undefined: any text. */
  readonly said?: readonly Expression[];
}

/** Adds the rules of an answer to others; gives what stands for it. */
export function harmonyAnswer(
  rules: Rules,
  { calls, said }: HarmonyAnswer,
  isControl: (text: string) => boolean,
): Expression {
  const fixed = (value: string) => marked(value, isControl);
  const end = "<|end|>";
  const body = isControl(end) ? sequence(anyText(), fixed(end)) : untilText(end);
  const next = fixed("<|start|>assistant");
  const message = (channel: string) =>
    sequence(fixed(`<|channel|>${channel}`), fixed("<|message|>"), body, next);
  const before = repeat(choice(message("analysis"), message("commentary")), 0, MESSAGES_MAX);
  const isJson = optional(choice(text(" json"), fixed(" <|constrain|>json"), fixed("<|constrain|>json")));
  const final = sequence(
    fixed("<|channel|>final"),
    said === undefined ? text("") : isJson,
    fixed("<|message|>"),
    said === undefined ? anyText() : rules.embed(said),
  );
  const called = (calls?.tools ?? []).map((tool) => {
    const to = text(` to=functions.${tool.name}`);
    const given = sequence(isJson, fixed("<|message|>"), argumentsOf(rules, HARMONY, tool, isControl));
    // Both orders are seen.
    return choice(
      sequence(fixed("<|channel|>commentary"), to, given),
      sequence(to, fixed("<|channel|>commentary"), given),
    );
  });
  return sequence(before, calls?.required ? choice(...called) : choice(final, ...called));
}
