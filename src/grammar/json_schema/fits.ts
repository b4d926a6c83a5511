/** Whether a value fits schemas: for the values that `enum` and `const` list. @module */

import { accepts } from "../automata/dfa.ts";
import { Budget, GrammarError } from "../error.ts";
import { isObject, type SchemaDocument } from "./document.ts";
import { decimal } from "./decimals.ts";
import { childrenOf, itemAtoms, keyAtoms } from "./parts.ts";
import { codePoints, contentDfa } from "./strings.ts";
import { hasJson, sameJson } from "./values.ts";
import { type Atoms, type Kind, type View, viewOf } from "./view.ts";

export function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as Kind;
}

/** Whether a value fits all atoms. */
export function fits(
  document: SchemaDocument,
  value: unknown,
  atoms: Atoms,
  budget: Budget,
  depth = 0,
): boolean {
  if (depth > 100) throw new GrammarError("Values are nested more than 100 deep");
  const view = viewOf(document, atoms, budget);
  if (view === null || !fitsView(document, value, view, budget, depth)) return false;
  const { alternatives } = view;
  if (alternatives === undefined) return true;
  const fitting = alternatives.each.filter((each) =>
    fits(document, value, [...alternatives.rest, ...each], budget, depth + 1)
  );
  return alternatives.keyword === "anyOf" ? fitting.length > 0 : fitting.length === 1;
}

function fitsView(
  document: SchemaDocument,
  value: unknown,
  view: View,
  budget: Budget,
  depth: number,
): boolean {
  if (!view.kinds.has(kindOf(value))) return false;
  if (view.values !== undefined && !hasJson(view.values, value)) return false;
  if (typeof value === "number") return numberFits(value, view);
  if (typeof value === "string") return stringFits(value, view);
  const all = (pairs: readonly (readonly [unknown, Atoms])[]) =>
    pairs.every(([member, atoms]) => fits(document, member, atoms, budget, depth + 1));
  if (Array.isArray(value)) {
    if (value.length < view.itemsMin || value.length > view.itemsMax) return false;
    if (
      view.unique !== undefined &&
      value.some((item, i) => value.slice(0, i).some((other) => sameJson(item, other)))
    ) {
      return false;
    }
    return all(value.map((item, i) => [item, itemAtoms(document, view, i)] as const));
  }
  if (!isObject(value)) return true;
  const keys = Object.keys(value);
  if (keys.length < view.propertiesMin || keys.length > view.propertiesMax) return false;
  if (![...view.required].every((name) => Object.hasOwn(value, name))) return false;
  const names = childrenOf(view.names);
  return all(keys.map((key) => [key, names] as const)) &&
    all(keys.map((key) => [value[key], keyAtoms(document, view, key)] as const));
}

function numberFits(value: number, { integer, least, most, multipleOf }: View): boolean {
  if (integer && !Number.isInteger(value)) return false;
  if (least !== undefined && (value < least.value || least.open && value === least.value)) return false;
  if (most !== undefined && (value > most.value || most.open && value === most.value)) return false;
  return multipleOf.every((step) => isMultiple(value, step));
}

/** In decimals, so that 0.3 is a multiple of 0.1. */
function isMultiple(value: number, step: number): boolean {
  const [a, b] = [decimal(value), decimal(step)];
  const digits = Math.max(a.fraction.length, b.fraction.length);
  const scaled = ({ whole, fraction }: typeof a) => BigInt(whole + fraction.padEnd(digits, "0"));
  return scaled(a) % scaled(b) === 0n;
}

function stringFits(value: string, view: View): boolean {
  const points = codePoints(value);
  if (points.length < view.lengthMin || points.length > view.lengthMax) return false;
  const content = contentDfa({ ...view, lengthMin: 0, lengthMax: Infinity });
  return content === undefined || accepts(content, points);
}
