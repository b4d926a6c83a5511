/** Takes out of rules what no text can ever finish, so that no way leads into a dead end. @module */

import { isEmpty } from "./automata/dfa.ts";
import { GrammarError } from "./error.ts";
import { choice, type Expression, NEVER, repeat, sequence } from "./expression.ts";

/** The rules, without what leads nowhere. Throws a GrammarError where nothing is left, or a rule begins with itself. */
export function prune(rules: readonly Expression[]): Expression[] {
  const productive = fixpoint(rules, (expression, known) => isProductive(expression, known));
  if (!productive[0]) throw new GrammarError("No text at all fits");
  const kept = rules.map((rule, i) => productive[i] ? clean(rule, productive) : NEVER);
  refuseLeftRecursion(kept);
  return kept;
}

/** What holds of a rule because of others: all that follows from nothing. */
function fixpoint(
  rules: readonly Expression[],
  holds: (expression: Expression, known: readonly boolean[]) => boolean,
): boolean[] {
  const users: number[][] = rules.map(() => []);
  rules.forEach((rule, i) => visit(rule, (called) => users[called].push(i)));
  const known = rules.map(() => false);
  const queue = rules.map((_, i) => i).reverse();
  for (let i = queue.pop(); i !== undefined; i = queue.pop()) {
    if (known[i] || !holds(rules[i], known)) continue;
    known[i] = true;
    queue.push(...users[i]);
  }
  return known;
}

function visit(expression: Expression, called: (rule: number) => void): void {
  const queue = [expression];
  for (let part = queue.pop(); part !== undefined; part = queue.pop()) {
    if (part.kind === "rule") called(part.rule);
    else if (part.kind === "repeat") queue.push(part.body);
    else if (part.kind === "sequence" || part.kind === "choice") queue.push(...part.parts);
  }
}

function isProductive(expression: Expression, known: readonly boolean[]): boolean {
  switch (expression.kind) {
    case "text":
    case "control":
      return true;
    case "automaton":
    case "characters":
      return !isEmpty(expression.dfa);
    case "sequence":
      return expression.parts.every((part) => isProductive(part, known));
    case "choice":
      return expression.parts.some((part) => isProductive(part, known));
    case "repeat":
      return expression.least === 0 || isProductive(expression.body, known);
    case "rule":
      return known[expression.rule];
  }
}

function clean(expression: Expression, productive: readonly boolean[]): Expression {
  if (!isProductive(expression, productive)) return NEVER;
  switch (expression.kind) {
    case "sequence":
      return sequence(...expression.parts.map((part) => clean(part, productive)));
    case "choice": {
      const parts = expression.parts.map((part) => clean(part, productive)).filter((part) => part !== NEVER);
      return choice(...parts);
    }
    case "repeat":
      return repeat(clean(expression.body, productive), expression.least, expression.most);
    default:
      return expression;
  }
}

/** Whether an expression may be the empty text. */
export function isNullable(expression: Expression, known: readonly boolean[]): boolean {
  switch (expression.kind) {
    case "text":
      return expression.text === "";
    case "control":
      return false;
    case "automaton":
      return expression.dfa.accepting[0];
    case "characters":
      return expression.least === 0;
    case "sequence":
      return expression.parts.every((part) => isNullable(part, known));
    case "choice":
      return expression.parts.some((part) => isNullable(part, known));
    case "repeat":
      return expression.least === 0 || isNullable(expression.body, known);
    case "rule":
      return known[expression.rule];
  }
}

function refuseLeftRecursion(rules: readonly Expression[]): void {
  const nullable = fixpoint(rules, isNullable);
  const begins = rules.map((rule) => {
    const found = new Set<number>();
    const first = (expression: Expression): void => {
      if (expression.kind === "rule") found.add(expression.rule);
      else if (expression.kind === "repeat") first(expression.body);
      else if (expression.kind === "choice") expression.parts.forEach(first);
      else if (expression.kind === "sequence") {
        for (const part of expression.parts) {
          first(part);
          if (!isNullable(part, nullable)) break;
        }
      }
    };
    first(rule);
    return [...found];
  });
  // 0: not seen, 1: on the way, 2: done.
  const marks = new Uint8Array(rules.length);
  for (let root = 0; root < rules.length; root++) {
    if (marks[root] !== 0) continue;
    const stack: [number, number][] = [[root, 0]];
    marks[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const next = begins[top[0]][top[1]++];
      if (next === undefined) {
        marks[top[0]] = 2;
        stack.pop();
      } else if (marks[next] === 1) {
        throw new GrammarError("A rule begins with itself before any character (left recursion)");
      } else if (marks[next] === 0) {
        marks[next] = 1;
        stack.push([next, 0]);
      }
    }
  }
}
