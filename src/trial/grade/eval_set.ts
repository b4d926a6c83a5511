/** A file of questions with what is expected of the answers: JSON lines, one question each. @module */

import * as z from "zod";
import { compilePattern } from "./regex.ts";

/** Characters of a file's line, and of a pattern: what is longer is no question. */
const LINE_MAX = 100_000;
const PATTERN_MAX = 1000;
/** Mistakes that are told at once. */
const PROBLEMS_MAX = 10;

const text = z.string().trim().min(1, "must not be empty");

const expectation = z.union([
  z.strictObject({
    /** One of these, after both were normalised. */
    text: z.union([text, z.array(text).min(1)]),
    /** Whether the answer may say more; it may by default. */
    match: z.enum(["contains", "equals"]).default("contains"),
  }),
  z.strictObject({
    /** In RE2's syntax: no look-around, no back references. Found anywhere in the answer. */
    regex: text.max(PATTERN_MAX),
    ignoreCase: z.boolean().default(false),
  }),
  z.strictObject({
    /** Compared with the last number of the answer. */
    number: z.number(),
    /** What it may be off by. */
    tolerance: z.number().min(0).default(0),
  }),
  z.strictObject({
    json: z.json(),
    /** Whether objects of the answer may have other keys as well. */
    subset: z.boolean().default(false),
  }),
  z.strictObject({
    /** What a judge is to look at, in the words of the one who asks. */
    judge: text,
  }),
], "is one of { text }, { regex }, { number }, { json }, { judge }, with their own options alone");

const question = z.strictObject({
  id: text.max(100),
  /** Such as "en" or "ja": results are counted by it. */
  language: text.max(20),
  question: text,
  system: text.optional(),
  maxTokens: z.int().min(1).max(100_000).default(256),
  expect: expectation,
});

export type Expectation = z.output<typeof expectation>;
export type EvalQuestion = z.output<typeof question>;
export type EvalKind = "text" | "regex" | "number" | "json" | "judge";

/** Something is wrong with a file of questions; the message names each line. */
export class EvalSetError extends Error {
  override name = "EvalSetError";
}

/** How a question is graded. */
export function kindOf(expect: Expectation): EvalKind {
  if ("text" in expect) return "text";
  if ("regex" in expect) return "regex";
  if ("number" in expect) return "number";
  return "json" in expect ? "json" : "judge";
}

/** Reads a file of questions; empty lines are skipped. Throws an EvalSetError that names lines and values. */
export function parseEvalSet(file: string): EvalQuestion[] {
  const questions: EvalQuestion[] = [];
  const lines = new Map<string, number>();
  const problems: string[] = [];
  file.replace(/^\uFEFF/, "").split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    const found = parseLine(line);
    const at = `line ${i + 1}`;
    if (typeof found === "string") return void problems.push(`${at}: ${found}`);
    const other = lines.get(found.id);
    if (other !== undefined) {
      problems.push(`${at}: the id ${JSON.stringify(found.id)} is that of line ${other}`);
    }
    lines.set(found.id, i + 1);
    questions.push(found);
  });
  if (problems.length > 0) {
    const more = problems.length - PROBLEMS_MAX;
    const shown = [...problems.slice(0, PROBLEMS_MAX), ...more > 0 ? [`… and ${more} more`] : []];
    throw new EvalSetError(`the questions cannot be used:\n  ${shown.join("\n  ")}`);
  }
  if (questions.length === 0) throw new EvalSetError("the file has no question");
  return questions;
}

/** The question, or what is wrong with it. */
function parseLine(line: string): EvalQuestion | string {
  if (line.length > LINE_MAX) return `has ${line.length} characters; ${LINE_MAX} are the most`;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  const found = question.safeParse(json);
  if (!found.success) {
    return found.error.issues.map(({ path, message }) => `${path.join(".") || "it"}: ${message}`).join("; ");
  }
  const { expect } = found.data;
  if (!("regex" in expect)) return found.data;
  const pattern = compilePattern(expect.regex, expect.ignoreCase);
  return typeof pattern === "string" ? `expect.regex: ${pattern}` : found.data;
}
