/**
 * Checks what a program hands to the library, at the door: deep inside, a wrong value would fail with a
 * message about something else, or be taken for what it is not. A wrong type, or an option that does not
 * exist, is a TypeError; a number or a choice out of range a RangeError. Both name the argument and its
 * current value.
 * @module
 */

import { quote } from "../gguf/error.ts";

/** Throws for a value that cannot be. `label` is how messages call it: `text`, `Option "topP"`. */
export type Check = (label: string, value: unknown) => void;

/** Bounds of a number, both allowed. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** The error about a value of the wrong type. */
export function wrongType(label: string, what: string, value: unknown): TypeError {
  return new TypeError(`${label} must be ${what}, current value is ${showArgument(value)}`);
}

/** A value for one line of a message. */
export function showArgument(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const name = value.constructor?.name;
  return name === undefined || name === "Object"
    ? "an object"
    : `an object of class ${quote(name).slice(1, -1)}`;
}

function typed(what: string, test: (value: unknown) => boolean): Check {
  return (label, value) => {
    if (!test(value)) throw wrongType(label, what, value);
  };
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isString = typed("a string", (value) => typeof value === "string");
export const isBoolean = typed("true or false", (value) => typeof value === "boolean");
export const isFunction = typed("a function", (value) => typeof value === "function");
export const isRecord = typed("an object", isObject);
export const isSignal = typed(
  "an AbortSignal",
  (value) => isObject(value) && "aborted" in value && "addEventListener" in value,
);
/** A number of any size; NaN is left to whoever knows the range. */
export const isNumber = typed("a number", (value) => typeof value === "number");

/** A list, or typed array, of numbers: of so many, perhaps, that no label is made for each. */
export const isTokens: Check = (label, value) => {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return;
  if (!Array.isArray(value)) throw wrongType(label, "a list of token ids", value);
  const wrong = value.findIndex((each) => typeof each !== "number");
  if (wrong >= 0) throw wrongType(`${label}[${wrong}]`, "a number", value[wrong]);
};

/** A list of what `check` takes. `what`: how the list is called where it is none. */
export function listOf(check: Check, what = "a list"): Check {
  return (label, value) => {
    if (!Array.isArray(value)) throw wrongType(label, what, value);
    value.forEach((each, i) => check(`${label}[${i}]`, each));
  };
}

/** What the first fitting one of several takes; `what` they are together. */
export function anyOf(what: string, ...tests: readonly ((value: unknown) => Check | null)[]): Check {
  return (label, value) => {
    const check = tests.map((test) => test(value)).find((each) => each !== null);
    if (check === undefined) throw wrongType(label, what, value);
    check!(label, value);
  };
}

/** One of some texts. */
export function oneOf(values: readonly unknown[]): Check {
  return (label, value) => {
    if (values.includes(value)) return;
    const ErrorType = values.some((each) => typeof each === typeof value) ? RangeError : TypeError;
    throw new ErrorType(
      `${label} must be one of ${values.join(", ")}, current value is ${showArgument(value)}`,
    );
  };
}

/** A number within a range. */
export function numberIn(range: Range): Check {
  return (label, value) => void checkRange(label, value, range);
}

/** The number, if it is one within the range. */
export function checkRange(label: string, value: unknown, { min, max, integer = false }: Range): number {
  const what = `${integer ? "an integer" : "a number"} from ${min} to ${max}`;
  if (typeof value !== "number") throw wrongType(label, what, value);
  if (value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
  throw new RangeError(`${label} must be ${what}, current value is ${value}`);
}

/**
 * The number of the option `name`, if it is one within the range. Throws a RangeError, a TypeError where it
 * is no number.
 */
export function checkNumber(name: string, value: unknown, range: Range): number {
  return checkRange(`Option "${name}"`, value, range);
}

/** An object with some of these fields, as options within an option. */
export function fieldsOf(checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (label, value) => {
    isRecord(label, value);
    const given = value as Record<string, unknown>;
    for (const name of required) {
      if (given[name] === undefined) throw wrongType(`${label}.${name}`, "given", undefined);
    }
    for (const [name, each] of Object.entries(given)) {
      if (!Object.hasOwn(checks, name)) throw unknownName(`field ${quote(name)} in ${label}`, name, checks);
      if (each !== undefined) checks[name](`${label}.${name}`, each);
    }
  };
}

/** An object with any names. `what`: how it is called where it is none. */
export function recordOf(check: Check, what: string): Check {
  return (label, value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw wrongType(label, what, value);
    }
    for (const [name, each] of Object.entries(value)) check(`${label}[${quote(name)}]`, each);
  };
}

/** Checks the options of `call`, such as "generate()"; undefined ones are not given. */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>): void {
  if (!isObject(options)) throw wrongType(`The options of ${call}`, "an object", options);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) throw unknownName(`option ${quote(name)} of ${call}`, name, checks);
    if (value !== undefined) checks[name](`Option "${name}"`, value);
  }
}

function unknownName(what: string, name: string, checks: Readonly<Record<string, Check>>): TypeError {
  const near = nearest(name, Object.keys(checks));
  return new TypeError(`There is no ${what}${near === undefined ? "" : `, did you mean "${near}"?`}`);
}

/** The name that somebody meant: written in another style, or with up to a third of it wrong. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[_-]/g, "");
  const wanted = plain(name.slice(0, 64));
  const [best] = names
    .map((each) => ({ each, distance: distanceOf(wanted, plain(each)) }))
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(1, wanted.length / 3) ? best.each : undefined;
}

/** Letters to insert, delete or replace. Levenshtein 1966. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]));
    }
    row = next;
  }
  return row[b.length];
}
