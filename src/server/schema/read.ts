/** Checks a JSON value against a schema, and says in one sentence what is wrong with it. @module */

import * as z from "zod";
import { type ApiError, badField } from "../api_error.ts";
import { LENGTHS, type ObjectSchema, type Schema } from "./fields.ts";
import { kindOf, quote, shortened, show } from "./words.ts";

/** A checked object: fields that are null were not set. */
export type Given<T> = { [K in keyof T]: Exclude<T[K], null> };

/** What a schema gives, read. */
export type FieldsOf<S extends Schema> = Given<z.output<S>>;

/** Told of a field that is not known, which is then ignored. */
export type OnUnknown = (param: string) => void;

/** The first mistake is told, and no other looked for: a list may have a million. */
const CONTEXT = { abortEarly: true, reportInput: true } as const;

/**
 * The object with only its known fields. Throws an ApiError that names the field, its range and its value:
 * 400. With `onUnknown` unknown fields are ignored.
 */
export function readFields<S extends ObjectSchema>(
  schema: S,
  value: unknown,
  onUnknown?: OnUnknown,
): FieldsOf<S> {
  const known = onUnknown === undefined ? value : withoutUnknown(schema, value, "", onUnknown);
  const result = schema.safeParse(known, CONTEXT);
  if (!result.success) throw errorOf(schema, known, result.error.issues[0]);
  const fields: Record<string, unknown> = result.data;
  for (const name in fields) if (fields[name] === null) delete fields[name];
  return fields as FieldsOf<S>;
}

/** A single value, such as a header's. Throws an ApiError, 400. */
export function readValue<S extends Schema>(schema: S, value: unknown, name: string): z.output<S> {
  const result = schema.safeParse(value, CONTEXT);
  if (!result.success) throw toApiError(result.error.issues[0], [name]);
  return result.data;
}

function errorOf(schema: ObjectSchema, value: unknown, issue: z.core.$ZodIssue): ApiError {
  const error = toApiError(issue, []);
  if (error.code === "unsupported_value") return error;
  // A name that is not known explains most of what else is wrong: it may be a missing one, misspelt.
  withoutUnknown(schema, value, "", (param) => {
    throw unknownField(param);
  });
  return error;
}

function unknownField(param: string): ApiError {
  return badField(param, `There is no field ${quote(param)} here`, "unknown_field");
}

type Path = readonly PropertyKey[];

/** `above`: where the value is in which the issue is. */
function toApiError(issue: z.core.$ZodIssue, above: Path): ApiError {
  if (issue.code === "invalid_union") {
    const [chosen] = issue.errors.flat().toSorted(byFit);
    if (chosen !== undefined && isNearer(chosen)) return toApiError(chosen, [...above, ...issue.path]);
  }
  const path = [...above, ...issue.path];
  const { input } = issue;
  if (issue.code === "unrecognized_keys") return unknownField(pathText([...path, shortened(issue.keys[0])]));
  const param = pathText(issue.code === "invalid_key" ? path.slice(0, -1) : path);
  if (param === "") return badField("", `The body must be an object, it is ${kindOf(input)}`);
  if ((input === undefined || input === null) && isName(path.at(-1)!)) {
    return badField(param, `${quote(param)} is missing`, "missing_field");
  }
  const unsupported = issue.code === "custom" ? issue.params?.unsupported : undefined;
  if (unsupported === undefined) return badField(param, `${quote(param)} ${issue.message}`);
  const value = unsupported === "value" ? ` is ${show(input)}` : "";
  return badField(param, `${issue.message} (field ${quote(param)}${value})`, "unsupported_value");
}

/**
 * Of a value's several kinds the one that it fits best explains what is wrong with it: the one that was read
 * furthest.
 */
function byFit(a: z.core.$ZodIssue, b: z.core.$ZodIssue): number {
  for (let i = 0; i < Math.max(a.path.length, b.path.length); i++) {
    const [one, other] = [a.path[i], b.path[i]];
    if (one === other) continue;
    if (typeof one === "number" && typeof other === "number") return other - one;
    return one === undefined ? 1 : -1;
  }
  return Number(isNearer(b)) - Number(isNearer(a));
}

/** Whether a value has the kind that was wanted, or begins so, and is wrong in another way. */
function isNearer(issue: z.core.$ZodIssue): boolean {
  if (issue.path.some((key) => key !== 0)) return true;
  if (issue.code !== "invalid_type") {
    return issue.code !== "invalid_union" || issue.errors.flat().some(isNearer);
  }
  return issue.expected === "int" && typeof issue.input === "number";
}

/** The keys of a record of tokens are places, as those of a list are. */
function isName(key: PropertyKey): boolean {
  return typeof key === "string" && !/^\d+$/.test(key);
}

function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (!isName(key)) return `${text}[${String(key)}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

/** A value without the fields that a schema does not know; told of each. */
function withoutUnknown(schema: z.core.$ZodType, value: unknown, path: string, tell: OnUnknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const kind = kindFor(schema, value);
  if (kind instanceof z.ZodArray) {
    const entries = value as unknown[];
    // Nothing within a list of texts or tokens can be unknown, and one that is too long is refused.
    if (entries.length > LENGTHS.get(kind)!.max || !entries.some((each) => typeof each === "object")) {
      return value;
    }
    return entries.map((each, i) => withoutUnknown(kind.element, each, `${path}[${i}]`, tell));
  }
  if (!(kind instanceof z.ZodObject)) return value;
  const { shape } = kind;
  const given = value as Record<string, unknown>;
  const inner = (name: string) => path === "" ? shortened(name) : `${path}.${shortened(name)}`;
  // In a JSON value all names are its own. Those of an object are told before those of what is in it.
  for (const name in given) if (!Object.hasOwn(shape, name)) tell(inner(name));
  const known: [string, unknown][] = [];
  for (const name in given) {
    if (!Object.hasOwn(shape, name)) continue;
    known.push([name, withoutUnknown(shape[name], given[name], inner(name), tell)]);
  }
  return Object.fromEntries(known);
}

/** The schema of objects or of lists that reads a value, of those that a schema is made of. */
function kindFor(schema: z.core.$ZodType, value: object): z.ZodArray | z.ZodObject | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return kindFor(schema.def.innerType, value);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.def.options.map((each) => kindFor(each, value)).find((each) => each !== undefined);
  }
  const isKind = schema instanceof (Array.isArray(value) ? z.ZodArray : z.ZodObject);
  return isKind ? schema as z.ZodArray | z.ZodObject : undefined;
}
