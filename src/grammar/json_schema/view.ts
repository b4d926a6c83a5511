/** What several schemas say together of one value. @module */

import type { Budget } from "../error.ts";
import { GrammarError } from "../error.ts";
import type { Node, Schema, SchemaDocument, SchemaObject } from "./document.ts";
import { checkKeywords } from "./keywords.ts";
import { sameJson } from "./values.ts";

/** The kinds of values; a number may be bound to be whole. */
export type Kind = "null" | "boolean" | "object" | "array" | "string" | "number";
export const KINDS: readonly Kind[] = ["null", "boolean", "object", "array", "string", "number"];

/** A schema of which some keywords have been dealt with. */
export interface Atom {
  readonly node: Node;
  readonly without: string;
}

/** Atoms that all hold of one value. */
export type Atoms = readonly Atom[];

/** Names the set: equal sets have equal names. */
export function nameOf(atoms: Atoms): string {
  return [...new Set(atoms.map(({ node, without }) => `${node.id}${without}`))].sort().join(" ");
}

/** A choice that several schemas leave: one list of alternatives. */
export interface Alternatives {
  readonly keyword: "anyOf" | "oneOf";
  readonly path: string;
  /** What holds beside an alternative, as atoms. */
  readonly rest: Atoms;
  readonly each: readonly Atoms[];
}

/** What a schema says of objects. */
export interface ObjectPart {
  readonly node: Node;
  readonly properties: Readonly<Record<string, Schema>>;
  readonly patterns: Readonly<Record<string, Schema>>;
  /** Undefined: anything. */
  readonly additional?: Schema;
}

/** What a schema says of arrays. */
export interface ArrayPart {
  readonly node: Node;
  readonly prefix: readonly Schema[];
  readonly prefixKeyword: string;
  readonly rest?: Schema;
  readonly restKeyword: string;
}

/** All keywords of several schemas. */
export interface View {
  readonly path: string;
  kinds: Set<Kind>;
  integer: boolean;
  /** The values that `enum` and `const` leave. */
  values?: readonly unknown[];
  least?: { value: number; open: boolean };
  most?: { value: number; open: boolean };
  multipleOf: number[];
  lengthMin: number;
  lengthMax: number;
  patterns: { source: string; path: string }[];
  formats: { name: string; path: string }[];
  objects: ObjectPart[];
  required: Set<string>;
  propertiesMin: number;
  propertiesMax: number;
  names: Node[];
  arrays: ArrayPart[];
  itemsMin: number;
  itemsMax: number;
  unique?: string;
  /** The first choice that is left, if there is one; the others are among its atoms. */
  alternatives?: Alternatives;
}

function emptyView(path: string): View {
  return {
    path,
    kinds: new Set(KINDS),
    integer: false,
    multipleOf: [],
    lengthMin: 0,
    lengthMax: Infinity,
    patterns: [],
    formats: [],
    objects: [],
    required: new Set(),
    propertiesMin: 0,
    propertiesMax: Infinity,
    names: [],
    arrays: [],
    itemsMin: 0,
    itemsMax: Infinity,
  };
}

/** What an atom costs: its keywords are checked and its place in a set is named. */
const ATOM_WORK = 4;

/** Reads atoms, and all that they refer to; null where nothing can fit. Throws a GrammarError. */
export function viewOf(document: SchemaDocument, atoms: Atoms, budget: Budget): View | null {
  const view = emptyView(atoms[0]?.node.path ?? "");
  const queue = [...atoms];
  const seen = new Set<string>();
  const all: Atom[] = [];
  for (const atom of queue) {
    budget.spend(ATOM_WORK, atom.node.path);
    const name = nameOf([atom]);
    if (seen.has(name)) continue;
    seen.add(name);
    const { schema } = atom.node;
    if (schema === false) return null;
    if (schema === true) continue;
    checkKeywords(atom.node, document.refStandsAlone);
    all.push(atom);
    queue.push(...nested(document, atom, schema));
  }
  for (const atom of all) if (!take(document, view, atom)) return null;
  const chooser = all.find((atom) => choiceOf(atom) !== undefined);
  if (chooser !== undefined) view.alternatives = alternativesOf(document, all, chooser);
  if (view.integer && !view.kinds.has("number")) view.integer = false;
  return view.kinds.size === 0 ? null : view;
}

/** Of an atom beside which all stand that it leads to: a choice among these that was made must not come up again. */
const NESTED = "-nested";

function withNested({ node, without }: Atom): Atom {
  return { node, without: without.includes(NESTED) ? without : `${without}${NESTED}` };
}

/** Schemas that hold of the same value. */
function nested(document: SchemaDocument, { node, without }: Atom, schema: SchemaObject): Atom[] {
  const atoms: Atom[] = [];
  if (without.includes(NESTED)) return atoms;
  if (schema.$ref !== undefined) {
    atoms.push({ node: document.resolve(node, schema.$ref), without: "" });
    if (document.refStandsAlone) return atoms;
  }
  const allOf = (schema.allOf ?? []) as Schema[];
  allOf.forEach((part, i) => atoms.push({ node: document.child(node, part, "allOf", i), without: "" }));
  return atoms;
}

const CHOICES = ["anyOf", "oneOf"] as const;

function choiceOf({ node, without }: Atom): "anyOf" | "oneOf" | "dependencies" | undefined {
  const schema = node.schema as SchemaObject;
  for (const keyword of CHOICES) if (keyword in schema && !without.includes(keyword)) return keyword;
  const dependent = ["dependentRequired", "dependentSchemas", "dependencies"].some((keyword) =>
    keyword in schema
  );
  return dependent && !without.includes("dependencies") ? "dependencies" : undefined;
}

function alternativesOf(document: SchemaDocument, all: readonly Atom[], chooser: Atom): Alternatives {
  const keyword = choiceOf(chooser)!;
  const { node, without } = chooser;
  const schema = node.schema as SchemaObject;
  const left = { node, without: `${without}-${keyword}` };
  const rest = all.map((atom) => withNested(atom === chooser ? left : atom));
  if (keyword === "dependencies") {
    return { keyword: "anyOf", path: node.path, rest, each: dependencies(document, node, schema) };
  }
  const each = (schema[keyword] as Schema[]).map((part, i) => [
    { node: document.child(node, part, keyword, i), without: "" },
  ]);
  return { keyword, path: `${node.path}/${keyword}`, rest, each };
}

/** Where a name is there, more holds: every way to have some of the names and not the others. */
function dependencies(document: SchemaDocument, node: Node, schema: SchemaObject): Atoms[] {
  const rules: [string, Atom][] = [];
  for (const keyword of ["dependentRequired", "dependentSchemas", "dependencies"]) {
    const entries = Object.entries((schema[keyword] ?? {}) as Record<string, Schema | string[]>);
    for (const [name, what] of entries) {
      const path = `${node.path}/${keyword}`;
      const then = Array.isArray(what)
        ? document.made({ required: what }, path)
        : document.child(node, what, keyword, name);
      rules.push([name, { node: then, without: "" }]);
    }
  }
  if (rules.length > 6) throw new GrammarError("More than 6 dependencies are not supported", node.path);
  let ways: Atom[][] = [[]];
  for (const [name, then] of rules) {
    const absent = { node: document.made({ properties: { [name]: false } }, node.path), without: "" };
    const present = { node: document.made({ required: [name] }, node.path), without: "" };
    ways = ways.flatMap((way) => [[...way, absent], [...way, present, then]]);
  }
  return ways;
}

function kindsOf(type: unknown, nullable: boolean): { kinds: Set<Kind>; integer: boolean } {
  const types = (Array.isArray(type) ? type : [type]) as string[];
  const kinds = new Set<Kind>(types.map((name) => (name === "integer" ? "number" : name) as Kind));
  if (nullable) kinds.add("null");
  return { kinds, integer: types.includes("integer") && !types.includes("number") };
}

/** Adds one schema's keywords; false where nothing fits any more. */
function take(document: SchemaDocument, view: View, { node }: Atom): boolean {
  const schema = node.schema as SchemaObject;
  if (document.refStandsAlone && "$ref" in schema) return true;
  if (schema.type !== undefined) {
    const { kinds, integer } = kindsOf(schema.type, schema.nullable === true);
    view.kinds = view.kinds.intersection(kinds);
    view.integer ||= integer;
  }
  if (schema.not !== undefined && !exclude(document, view, node, schema.not as Schema)) return false;
  takeValues(view, schema);
  takeNumbers(view, schema);
  takeStrings(view, schema, node);
  takeObjects(document, view, schema, node);
  takeArrays(view, schema, node);
  return true;
}

/** `not` is understood where it excludes kinds, or everything, or nothing. */
function exclude(document: SchemaDocument, view: View, node: Node, not: Schema): boolean {
  const path = `${node.path}/not`;
  if (not === false) return true;
  if (not === true || Object.keys(not).length === 0) return false;
  checkKeywords(document.child(node, not, "not"), document.refStandsAlone);
  const keys = Object.keys(not);
  if (keys.length !== 1 || keys[0] !== "type") {
    throw new GrammarError("not is supported with a type alone, or with true or false", path);
  }
  const { kinds, integer } = kindsOf(not.type, false);
  if (integer && view.kinds.has("number")) {
    throw new GrammarError("not with the type integer is not supported", path);
  }
  view.kinds = view.kinds.difference(kinds);
  return true;
}

function takeValues(view: View, schema: SchemaObject): void {
  for (const list of [schema.enum, "const" in schema ? [schema.const] : undefined]) {
    if (list === undefined) continue;
    const values = list as readonly unknown[];
    view.values = view.values === undefined
      ? values
      : view.values.filter((value) => values.some((other) => sameJson(value, other)));
  }
}

function takeNumbers(view: View, schema: SchemaObject): void {
  const low = (value: number, open: boolean) => {
    const { least } = view;
    if (least === undefined || value > least.value || value === least.value && open) {
      view.least = { value, open };
    }
  };
  const high = (value: number, open: boolean) => {
    const { most } = view;
    if (most === undefined || value < most.value || value === most.value && open) view.most = { value, open };
  };
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  // Before draft 6 the exclusive ones said whether the others are.
  if (typeof minimum === "number") low(minimum, exclusiveMinimum === true);
  if (typeof maximum === "number") high(maximum, exclusiveMaximum === true);
  if (typeof exclusiveMinimum === "number") low(exclusiveMinimum, true);
  if (typeof exclusiveMaximum === "number") high(exclusiveMaximum, true);
  if (typeof multipleOf === "number") view.multipleOf.push(multipleOf);
}

function takeStrings(view: View, schema: SchemaObject, node: Node): void {
  view.lengthMin = Math.max(view.lengthMin, (schema.minLength ?? 0) as number);
  view.lengthMax = Math.min(view.lengthMax, (schema.maxLength ?? Infinity) as number);
  const { pattern, format } = schema;
  if (typeof pattern === "string") view.patterns.push({ source: pattern, path: `${node.path}/pattern` });
  if (typeof format === "string") view.formats.push({ name: format, path: `${node.path}/format` });
}

function takeObjects(document: SchemaDocument, view: View, schema: SchemaObject, node: Node): void {
  const { properties, patternProperties, additionalProperties } = schema;
  if (properties !== undefined || patternProperties !== undefined || additionalProperties !== undefined) {
    view.objects.push({
      node,
      properties: (properties ?? {}) as Record<string, Schema>,
      patterns: (patternProperties ?? {}) as Record<string, Schema>,
      additional: additionalProperties as Schema | undefined,
    });
  }
  for (const name of (schema.required ?? []) as string[]) view.required.add(name);
  view.propertiesMin = Math.max(view.propertiesMin, (schema.minProperties ?? 0) as number);
  view.propertiesMax = Math.min(view.propertiesMax, (schema.maxProperties ?? Infinity) as number);
  if (schema.propertyNames !== undefined) {
    view.names.push(document.child(node, schema.propertyNames, "propertyNames"));
  }
}

function takeArrays(view: View, schema: SchemaObject, node: Node): void {
  const { prefixItems, items, additionalItems } = schema;
  if (Array.isArray(items)) {
    const rest = additionalItems as Schema | undefined;
    view.arrays.push({ node, prefix: items, prefixKeyword: "items", rest, restKeyword: "additionalItems" });
  } else if (prefixItems !== undefined || items !== undefined) {
    const prefix = (prefixItems ?? []) as Schema[];
    view.arrays.push({
      node,
      prefix,
      prefixKeyword: "prefixItems",
      rest: items as Schema | undefined,
      restKeyword: "items",
    });
  }
  view.itemsMin = Math.max(view.itemsMin, (schema.minItems ?? 0) as number);
  view.itemsMax = Math.min(view.itemsMax, (schema.maxItems ?? Infinity) as number);
  if (schema.uniqueItems === true) view.unique ??= `${node.path}/uniqueItems`;
}
