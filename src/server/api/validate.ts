/** Checks a JSON value against a table of fields. @module */

import { type ApiError, badField } from "../api_error.ts";
import type {
  ChoiceField,
  Field,
  Fields,
  NumberField,
  ObjectField,
  RecordField,
  StringField,
  UnsupportedField,
} from "./field.ts";

/** A checked object. Absent and null fields are undefined. */
export type Checked = Record<string, unknown>;

const SHOWN_MAX = 40;

/** Told of a field that is not known, which is then ignored. */
export type OnUnknown = (param: string) => void;

/**
 * The object with only its known fields. Throws an ApiError that names the field: 400. `path`: where the object is. With
 * `onUnknown` unknown fields are ignored.
 */
export function checkObject(fields: Fields, value: unknown, path = "", onUnknown?: OnUnknown): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badField(
      path,
      `${path === "" ? "The body" : quote(path)} must be an object, it is ${kindOf(value)}`,
    );
  }
  const given = value as Record<string, unknown>;
  refuseUnsupported(fields, given, path);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(fields, name)) continue;
    const param = join(path, name.slice(0, SHOWN_MAX));
    if (onUnknown === undefined) {
      throw badField(param, `There is no field ${quote(param)} here`, "unknown_field");
    }
    onUnknown(param);
  }
  const checked: Checked = {};
  for (const [name, field] of Object.entries(fields)) {
    const param = join(path, name);
    const inner = Object.hasOwn(given, name) ? given[name] : undefined;
    // Clients write null for "not set".
    if (inner === undefined || (inner === null && !takesNull(field))) {
      if (field.required) throw badField(param, `${quote(param)} is missing`, "missing_field");
    } else checked[name] = check(field, inner, param, onUnknown);
  }
  return checked;
}

/** What cannot be done is said before all else: an image has fields that a text has not. */
function refuseUnsupported(fields: Fields, given: Record<string, unknown>, path: string): void {
  for (const [name, field] of Object.entries(fields)) {
    if (field.type !== "unsupported" || !Object.hasOwn(given, name)) continue;
    if (given[name] !== null) checkUnsupported(field, given[name], join(path, name));
  }
}

function takesNull(field: Field): boolean {
  return field.type === "constant" && field.values.includes(null);
}

function check(field: Field, value: unknown, path: string, onUnknown?: OnUnknown): unknown {
  switch (field.type) {
    case "number":
    case "integer":
      return checkNumber(field, value, path);
    case "string":
      return checkString(field, value, path);
    case "boolean":
      if (typeof value !== "boolean") throw wrong(path, "true or false", value);
      return value;
    case "constant":
      if (!field.values.some((each) => each === value)) {
        throw wrong(path, field.values.map((each) => JSON.stringify(each)).join(" or "), value);
      }
      return value;
    case "list":
      return checkList(field, value, path, onUnknown);
    case "object":
      return checkObject(field.fields, value, path, onUnknown);
    case "record":
      return checkRecord(field, value, path);
    case "choice":
      return checkChoice(field, value, path, onUnknown);
    case "any":
      return value;
    case "unsupported":
      return checkUnsupported(field, value, path);
  }
}

function checkNumber({ type, min, max }: NumberField, value: unknown, path: string): number {
  const ok = typeof value === "number" && value >= min && value <= max &&
    (type === "number" || Number.isInteger(value));
  if (ok) return value;
  throw wrong(path, `${type === "integer" ? "an integer" : "a number"} from ${min} to ${max}`, value);
}

function checkString({ min = 0, max, values }: StringField, value: unknown, path: string): string {
  if (typeof value !== "string") throw wrong(path, "a string", value);
  if (values !== undefined && !values.includes(value)) {
    throw wrong(path, `one of ${values.map(quote).join(", ")}`, value);
  }
  if (value.length < min || value.length > max) {
    throw badField(
      path,
      `${quote(path)} must have ${min} to ${max} characters, current length is ${value.length}`,
    );
  }
  return value;
}

function checkList(
  { min, max, of }: Field & { type: "list" },
  value: unknown,
  path: string,
  onUnknown?: OnUnknown,
): unknown[] {
  if (!Array.isArray(value)) throw wrong(path, "a list", value);
  if (value.length < min || value.length > max) {
    throw badField(path, `${quote(path)} must have ${min} to ${max} entries, it has ${value.length}`);
  }
  return value.map((entry, i) => check(of, entry, `${path}[${i}]`, onUnknown));
}

const KEYS = {
  tokens: { shape: /^\d{1,9}$/, what: "token ids" },
  names: { shape: /^[a-z_][a-z0-9_]{0,63}$/i, what: "names" },
} as const;

function checkRecord({ max, keys, of }: RecordField, value: unknown, path: string): Checked {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(path, "an object", value);
  }
  // A named variable may be null for "not set", as any field may.
  const entries = Object.entries(value).filter(([, inner]) => keys === "tokens" || inner !== null);
  if (entries.length > max) {
    throw badField(path, `${quote(path)} must have at most ${max} entries, it has ${entries.length}`);
  }
  return Object.fromEntries(entries.map(([key, inner]) => {
    const { shape, what } = KEYS[keys];
    if (!shape.test(key)) {
      throw badField(path, `Keys of ${quote(path)} must be ${what}, one is ${show(key)}`);
    }
    return [key, check(of, inner, `${path}[${key}]`)];
  }));
}

function checkChoice({ of }: ChoiceField, value: unknown, path: string, onUnknown?: OnUnknown): unknown {
  const fitting = of.find((field) => fits(field, value));
  if (fitting === undefined) throw wrong(path, of.map(describe).join(" or "), value);
  return check(fitting, value, path, onUnknown);
}

function checkUnsupported(
  { what, values = [], empty, refusals }: UnsupportedField,
  value: unknown,
  path: string,
): unknown {
  if (values.some((each) => each === value) || (empty && isEmpty(value))) return value;
  if (refusals !== undefined) {
    const isKnown = typeof value === "string" && Object.hasOwn(refusals, value);
    if (!isKnown) throw wrong(path, values.map((each) => JSON.stringify(each)).join(" or "), value);
    throw badField(path, `${refusals[value]} (field ${quote(path)})`, "unsupported_value");
  }
  throw badField(path, `${what} (field ${quote(path)} is ${show(value)})`, "unsupported_value");
}

function isEmpty(value: unknown): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}

/** Whether a value is of the field's kind, so that its problems are told in this field's words. */
function fits(field: Field, value: unknown): boolean {
  switch (field.type) {
    case "list":
      return Array.isArray(value) && (value.length === 0 || fits(field.of, value[0]));
    case "object":
      return fitsObject(field, value);
    case "record":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "constant":
      return field.values.some((each) => each === value);
    case "choice":
      return field.of.some((each) => fits(each, value));
    case "integer":
      return typeof value === "number";
    case "number":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "any":
    case "unsupported":
      return true;
  }
}

/** An object with a constant, such as its "type", is known by it. */
function fitsObject({ fields }: ObjectField, value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(fields).every(([name, field]) =>
    field.type !== "constant" || !field.required || fits(field, (value as Checked)[name])
  );
}

function describe(field: Field): string {
  switch (field.type) {
    case "list":
      return `a list of ${describeMany(field.of)}`;
    case "object":
    case "record":
      return "an object";
    case "constant":
      return field.values.map((each) => JSON.stringify(each)).join(" or ");
    case "choice":
      return field.of.map(describe).join(" or ");
    case "boolean":
      return "true or false";
    case "integer":
      return "an integer";
    default:
      return `a ${field.type}`;
  }
}

function describeMany(field: Field): string {
  switch (field.type) {
    case "list":
      return `lists of ${describeMany(field.of)}`;
    case "choice":
      return field.of.map(describeMany).join(" or ");
    case "constant":
    case "boolean":
      return describe(field);
    default:
      return `${describe(field).replace(/^an? /, "")}s`;
  }
}

function wrong(path: string, wanted: string, value: unknown): ApiError {
  return badField(path, `${quote(path)} must be ${wanted}, current value is ${show(value)}`);
}

function quote(name: string): string {
  return `"${name}"`;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

/** Numbers and short strings as they are, anything else by its kind. */
function show(value: unknown): string {
  if (typeof value === "object" && value !== null) return kindOf(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
