/** Whether an answer is what was expected. Pure; what a judge has to say is asked by the caller. @module */

import type { Expectation } from "./grade/eval_set.ts";
import { isSame, jsonIn } from "./grade/json.ts";
import { containsWords, normalise, spokenPart } from "./grade/normalise.ts";
import { lastNumber } from "./grade/number.ts";
import { compilePattern } from "./grade/regex.ts";

export {
  type EvalKind,
  type EvalQuestion,
  EvalSetError,
  type Expectation,
  kindOf,
  parseEvalSet,
} from "./grade/eval_set.ts";
export { type JudgeMessage, judgePrompt, readJudgement } from "./grade/judge.ts";

/** A verdict with its reason in a few words, such as "the last number is 41". */
export interface Grade {
  readonly passed: boolean;
  readonly why: string;
}

/** What is graded here; `{ judge }` is for `judgePrompt`. */
export type Gradable = Exclude<Expectation, { readonly judge: string }>;

/**
 * Grades an answer. Thoughts that end with `</think>` do not count. Its time grows with the length of answer
 * and expectation alone.
 */
export function grade(expect: Gradable, answer: string): Grade {
  const spoken = spokenPart(answer);
  if (spoken === "") return { passed: false, why: "the answer is empty" };
  if ("text" in expect) return gradeText(expect, spoken);
  if ("regex" in expect) {
    const pattern = compilePattern(expect.regex, expect.ignoreCase);
    if (typeof pattern === "string") throw new RangeError(`regex: ${pattern}`);
    const passed = pattern.matcher(spoken).find();
    return { passed, why: passed ? "the pattern is found" : "the pattern is not found" };
  }
  if ("number" in expect) return gradeNumber(expect, spoken);
  const value = jsonIn(spoken);
  if (value === undefined) return { passed: false, why: "the answer has no JSON" };
  const passed = isSame(expect.json, value, expect.subset);
  return { passed, why: passed ? "the JSON is as expected" : "the JSON differs" };
}

function gradeText({ text, match }: Extract<Gradable, { readonly text: unknown }>, spoken: string): Grade {
  const wanted = (typeof text === "string" ? [text] : text).map(normalise);
  const said = normalise(spoken);
  const passed = wanted.some((each) => match === "equals" ? said === each : containsWords(said, each));
  return { passed, why: passed ? "the text is as expected" : "the text differs" };
}

/** Rounding in the last bits is nobody's mistake. */
const ROUNDING = 1e-12;

function gradeNumber(
  { number, tolerance }: Extract<Gradable, { readonly number: number }>,
  spoken: string,
): Grade {
  const said = lastNumber(spoken);
  if (said === null) return { passed: false, why: "the answer has no number" };
  const passed = Math.abs(said - number) <= tolerance + ROUNDING * Math.max(1, Math.abs(number));
  return { passed, why: `the last number is ${said}` };
}
