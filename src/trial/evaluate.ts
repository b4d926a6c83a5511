/** Asks a model questions and grades what it answers. @module */

import { headersOf, type Target, urlOf } from "../loadtest/target.ts";
import { type EvalQuestion, grade, type JudgeMessage, judgePrompt, kindOf, readJudgement } from "./grade.ts";
import type { QualityResult } from "./report_data.ts";

/** Whom to ask, and who judges what only a reader can. */
export interface EvaluateOptions {
  readonly target: Target;
  readonly subject: QualityResult["subject"];
  readonly name: string;
  readonly quantisation: string | null;
  readonly questions: readonly EvalQuestion[];
  /** Null: questions for a judge are left out. */
  readonly judge: Target | null;
  /** Asked together. */
  readonly parallel: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What is not answered when this aborts counts as unanswered. */
  readonly until: AbortSignal;
  readonly onAnswer?: (answered: number) => void;
}

interface Graded {
  readonly question: EvalQuestion;
  /** Null: no answer, or none that could be graded. */
  readonly passed: boolean | null;
  readonly tokens: number;
}

/** Tokens of a judge's verdict. */
const VERDICT_TOKENS = 256;

/** Most tokens that asking the questions can take: prompts are counted as a token for each two characters. */
export function tokensFor(questions: readonly EvalQuestion[]): number {
  return questions.reduce(
    (sum, each) =>
      sum + Math.ceil((each.question.length + (each.system?.length ?? 0)) / 2) + 32 + each.maxTokens,
    0,
  );
}

/** Asks all questions with temperature 0. Rejects only with the signal's reason. */
export async function evaluate(
  options: EvaluateOptions,
): Promise<{ result: QualityResult; tokens: number }> {
  const { questions, parallel, judge, subject, name, quantisation } = options;
  const asked = judge === null ? questions.filter(({ expect }) => kindOf(expect) !== "judge") : questions;
  const graded: Graded[] = new Array(asked.length);
  let next = 0, answered = 0;
  const lane = async () => {
    while (next < asked.length) {
      const i = next++;
      graded[i] = await gradeOne(asked[i], options);
      options.onAnswer?.(++answered);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, asked.length)) }, lane));
  const valid = graded.filter(({ passed }) => passed !== null);
  const by = (read: (question: EvalQuestion) => string) => {
    const groups = Map.groupBy(valid, ({ question }) => read(question));
    return Object.fromEntries(
      groups.entries().map(([key, group]) => [key, {
        passed: group.filter(({ passed }) => passed).length,
        graded: group.length,
      }]),
    );
  };
  return {
    tokens: graded.reduce((sum, { tokens }) => sum + tokens, 0),
    result: {
      subject,
      name,
      quantisation,
      passed: valid.filter(({ passed }) => passed).length,
      graded: valid.length,
      unanswered: questions.length - valid.length,
      byKind: by(({ expect }) => kindOf(expect)),
      byLanguage: by(({ language }) => language),
      failed: valid.filter(({ passed }) => !passed).map(({ question }) => question.id),
    },
  };
}

async function gradeOne(question: EvalQuestion, options: EvaluateOptions): Promise<Graded> {
  const { target, judge, signal } = options;
  const { expect, system, maxTokens } = question;
  const messages = [
    ...system === undefined ? [] : [{ role: "system", content: system }],
    { role: "user", content: question.question },
  ];
  const answer = await ask(target, messages, maxTokens, options);
  signal.throwIfAborted();
  if (answer === null) return { question, passed: null, tokens: 0 };
  const { text, tokens } = answer;
  if (!("judge" in expect)) return { question, passed: grade(expect, text).passed, tokens };
  const prompt: JudgeMessage[] = judgePrompt(question.question, expect.judge, text);
  const verdict = await ask(judge!, prompt, VERDICT_TOKENS, options);
  signal.throwIfAborted();
  return {
    question,
    passed: verdict === null ? null : readJudgement(verdict.text),
    tokens: tokens + (verdict?.tokens ?? 0),
  };
}

/** The text of an answer and what it took; null where none came. */
async function ask(
  target: Target,
  messages: readonly { readonly role: string; readonly content: string }[],
  maxTokens: number,
  { signal, timeoutMs, until }: EvaluateOptions,
): Promise<{ text: string; tokens: number } | null> {
  try {
    const response = await fetch(urlOf({ ...target, api: "chat" }), {
      method: "POST",
      headers: { "content-type": "application/json", ...headersOf(target) },
      body: JSON.stringify({ model: target.model, messages, max_tokens: maxTokens, temperature: 0 }),
      signal: AbortSignal.any([signal, until, AbortSignal.timeout(timeoutMs)]),
    });
    const body = await response.json();
    const text = body?.choices?.[0]?.message?.content;
    const tokens = Number(body?.usage?.total_tokens);
    return response.ok && typeof text === "string" ? { text, tokens: tokens || 0 } : null;
  } catch {
    return null;
  }
}
