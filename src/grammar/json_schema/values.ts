/** Values of JSON: equality, and how they are written. @module */

import { choice, type Expression, sequence, text } from "../expression.ts";

/** Whether two values of JSON are the same; the order of an object's members does not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length &&
      a.every((item, i) => sameJson(item, b[i]));
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) =>
      Object.hasOwn(b, key) &&
      sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])
    );
}

/** What lists have that is no list or object. */
const plain = new WeakMap<readonly unknown[], Set<unknown>>();

/** Whether a list, which must not change, has a value; long lists of texts are asked for each of theirs. */
export function hasJson(list: readonly unknown[], value: unknown): boolean {
  if (typeof value === "object" && value !== null) return list.some((other) => sameJson(value, other));
  let known = plain.get(list);
  if (known === undefined) plain.set(list, known = new Set(list));
  return known.has(value);
}

/** A value as it is written, with `gap` where there may be blanks. */
export function literal(value: unknown, gap: Expression): Expression {
  if (Array.isArray(value)) {
    if (value.length === 0) return text("[]");
    const items = value.flatMap((item, i) => [...i > 0 ? [text(","), gap] : [], literal(item, gap)]);
    return sequence(text("["), gap, ...items, gap, text("]"));
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return text("{}");
    const members = entries.flatMap(([key, member], i) => [
      ...i > 0 ? [text(","), gap] : [],
      text(`${JSON.stringify(key)}:`),
      gap,
      literal(member, gap),
    ]);
    return sequence(text("{"), gap, ...members, gap, text("}"));
  }
  return text(JSON.stringify(value));
}

/** Any of several values. */
export function literals(values: readonly unknown[], gap: Expression): Expression {
  return choice(...values.map((value) => literal(value, gap)));
}
