/**
 * What the value of an option may be: data that checks, flags, settings and requests' fields are made of.
 * @module
 */

import {
  anyOf,
  type Check,
  fieldsOf,
  isBoolean,
  isNumber,
  isRecord,
  isString,
  isTokens,
  listOf,
  numberIn,
  oneOf,
  type Range,
} from "../arguments.ts";

/** A number within bounds, both allowed. */
export interface NumberKind {
  readonly type: "number" | "integer";
  readonly min: number;
  readonly max: number;
  /**
   * The bounds are for flags, settings and requests. A program's value is judged where more is known: by the
   * model, the machine, the scheduler.
   */
  readonly isOpen?: true;
}

export interface BooleanKind {
  readonly type: "boolean";
}

/** A text; lengths in characters. */
export interface TextKind<T extends string = string> {
  readonly type: "string";
  readonly min: number;
  readonly max: number;
  /** Only these. */
  readonly values?: readonly T[];
}

export interface ListKind<K extends Kind = Kind> {
  readonly type: "list";
  readonly min: number;
  readonly max: number;
  readonly of: K;
  /** How messages call it. */
  readonly what: string;
}

/** The first kind that fits decides. */
export interface ChoiceKind<K extends readonly Kind[] = readonly Kind[]> {
  readonly type: "choice";
  readonly of: K;
}

/** An object whose keys are token ids or names. */
export interface RecordKind<K extends Kind = Kind> {
  readonly type: "record";
  readonly keys: "tokens" | "names";
  /** Most entries. */
  readonly max: number;
  readonly of: K;
}

/** An object with known fields. */
export interface ObjectKind<T = unknown> {
  readonly type: "object";
  readonly fields: Readonly<Record<string, FieldOfKind>>;
  /** Never there: it carries the type. */
  readonly __value?: T;
}

/** A field of an object. */
export interface FieldOfKind {
  readonly kind: Kind;
  readonly required?: true;
  readonly doc?: string;
}

/** What only a program can hand over, such as a function, or what is more than the kinds above can say. */
export interface OwnKind<T = unknown> {
  readonly type: "own";
  readonly check: Check;
  /** Never there: it carries the type. */
  readonly __value?: T;
}

export type Kind =
  | NumberKind
  | BooleanKind
  | TextKind
  | ListKind
  | ChoiceKind
  | RecordKind
  | ObjectKind
  | OwnKind;

/** The TypeScript type of a kind's values. */
export type ValueOf<K> = K extends NumberKind ? number
  : K extends BooleanKind ? boolean
  : K extends TextKind<infer T> ? T
  : K extends ListKind<infer Of> ? readonly ValueOf<Of>[]
  : K extends ChoiceKind<infer Of> ? ValueOf<Of[number]>
  : K extends RecordKind<infer Of>
    ? Readonly<Record<K["keys"] extends "tokens" ? number : string, ValueOf<Of>>>
  : K extends ObjectKind<infer T> ? T
  : K extends OwnKind<infer T> ? T
  : never;

export const number = (min: number, max: number): NumberKind => ({ type: "number", min, max });
export const integer = (min: number, max: number): NumberKind => ({ type: "integer", min, max });
/** Bounds that programs may pass over: see {@linkcode NumberKind.isOpen}. */
export const open = (kind: NumberKind): NumberKind => ({ ...kind, isOpen: true });
export const boolean: BooleanKind = { type: "boolean" };
export const text = (min: number, max: number): TextKind => ({ type: "string", min, max });
export const list = <K extends Kind>(of: K, min: number, max: number, what: string): ListKind<K> => ({
  type: "list",
  min,
  max,
  of,
  what,
});
export const choice = <const K extends readonly Kind[]>(...of: K): ChoiceKind<K> => ({ type: "choice", of });
export const object = <T>(fields: Readonly<Record<string, FieldOfKind>>): ObjectKind<T> => ({
  type: "object",
  fields,
});
export const own = <T>(check: Check): OwnKind<T> => ({ type: "own", check });

/** One of some words. */
export function words<const T extends string>(values: readonly T[]): TextKind<T> {
  return { type: "string", min: 0, max: Math.max(...values.map(({ length }) => length)), values };
}

/** The bounds of a number as checks take them. */
export function rangeOf({ type, min, max }: NumberKind): Range {
  return { min, max, integer: type === "integer" };
}

/** Numbers by token id. */
export function byToken(of: NumberKind, max: number): RecordKind<NumberKind> {
  return { type: "record", keys: "tokens", max, of };
}

/** A token's id; which of them a model has is known later. */
export const tokenId = integer(0, 2 ** 24);
export const tokenIds = (min: number, max: number): ListKind<NumberKind> =>
  list(tokenId, min, max, "a list of token ids");

/**
 * How a program's value of a kind is checked at the library's door: its type and, of a number, its range.
 * Lengths, counts and what depends on the model are checked where defaults are filled in.
 */
export function checkOf(kind: Kind): Check {
  switch (kind.type) {
    case "number":
    case "integer":
      return checkOfNumber(kind);
    case "boolean":
      return isBoolean;
    case "string":
      return kind.values === undefined ? isString : oneOf(kind.values);
    case "list":
      return isTokenId(kind.of) ? isTokens : listOf(checkOf(kind.of), kind.what);
    case "choice":
      return anyOf(
        kind.of.map(nameOf).join(" or "),
        ...kind.of.map((each) => (value: unknown) => fits(each, value) ? checkOf(each) : null),
      );
    case "record":
      return isRecord;
    case "object":
      return fieldsOf(
        Object.fromEntries(Object.entries(kind.fields).map(([name, field]) => [name, checkOf(field.kind)])),
        Object.keys(kind.fields).filter((name) => kind.fields[name].required),
      );
    case "own":
      return kind.check;
  }
}

function checkOfNumber(kind: NumberKind): Check {
  if (kind.isOpen) return isNumber;
  const inRange = numberIn(rangeOf(kind));
  if (kind.type === "integer") return inRange;
  return (label, value) => {
    isNumber(label, value);
    inRange(label, value);
  };
}

const isTokenId = (kind: Kind) => kind === tokenId;

/** Whether a value has the type of a kind, whatever is in it. */
function fits(kind: Kind, value: unknown): boolean {
  switch (kind.type) {
    case "number":
    case "integer":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "list":
      return Array.isArray(value) || isTokenId(kind.of) && ArrayBuffer.isView(value);
    default:
      return typeof value === "object" && value !== null && !Array.isArray(value);
  }
}

/** A kind in a message. */
export function nameOf(kind: Kind): string {
  switch (kind.type) {
    case "list":
      return kind.what;
    case "number":
    case "integer":
      return "a number";
    case "boolean":
      return "true or false";
    case "string":
      return "a string";
    default:
      return "an object";
  }
}
