/** Whether no value can fit two views: what makes `oneOf` a plain choice. @module */

import type { Budget } from "../error.ts";
import type { SchemaDocument } from "./document.ts";
import { kindOf } from "./fits.ts";
import { keyAtoms } from "./parts.ts";
import { sameJson } from "./values.ts";
import { type Kind, type View, viewOf } from "./view.ts";

const DEPTH_MAX = 4;

/** True where it can be shown; false says nothing. */
export function disjoint(document: SchemaDocument, a: View, b: View, budget: Budget, depth = 0): boolean {
  const shared = kindsOf(a).intersection(kindsOf(b));
  if (shared.size === 0) return true;
  if (a.values !== undefined && b.values !== undefined) {
    return !a.values.some((value) => b.values!.some((other) => sameJson(value, other)));
  }
  if (a.alternatives !== undefined || b.alternatives !== undefined) {
    return eachDisjoint(document, a, b, budget, depth);
  }
  return [...shared].every((kind) => {
    if (kind === "object") return objectsDisjoint(document, a, b, budget, depth);
    if (kind === "number") return numbersDisjoint(a, b) || numbersDisjoint(b, a);
    if (kind === "string") return a.lengthMin > b.lengthMax || b.lengthMin > a.lengthMax;
    return kind === "array" && (a.itemsMin > b.itemsMax || b.itemsMin > a.itemsMax);
  });
}

function kindsOf(view: View): Set<Kind> {
  return view.values === undefined ? view.kinds : new Set(view.values.map(kindOf)).intersection(view.kinds);
}

/** Every alternative of one with the other. */
function eachDisjoint(document: SchemaDocument, a: View, b: View, budget: Budget, depth: number): boolean {
  if (depth >= DEPTH_MAX) return false;
  const [chooser, other] = a.alternatives !== undefined ? [a, b] : [b, a];
  const { each, rest } = chooser.alternatives!;
  return each.every((atoms) => {
    const view = viewOf(document, [...rest, ...atoms], budget);
    return view === null || disjoint(document, view, other, budget, depth + 1);
  });
}

/** All numbers of one are above those of the other. */
function numbersDisjoint(a: View, b: View): boolean {
  if (a.most === undefined || b.least === undefined) return false;
  return a.most.value < b.least.value || a.most.value === b.least.value && (a.most.open || b.least.open);
}

/** A member that both require and that cannot be the same, or one that one requires and the other forbids. */
function objectsDisjoint(document: SchemaDocument, a: View, b: View, budget: Budget, depth: number): boolean {
  if (depth >= DEPTH_MAX) return false;
  return [...a.required.union(b.required)].some((name) => {
    const one = viewOf(document, keyAtoms(document, a, name), budget);
    const other = viewOf(document, keyAtoms(document, b, name), budget);
    if (one === null || other === null) return true;
    return a.required.has(name) && b.required.has(name) && disjoint(document, one, other, budget, depth + 1);
  });
}
