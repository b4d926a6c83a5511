/**
 * The interpreter's values, whose classes its package keeps to itself: made here by asking it for one of each.
 * A mapping's keys may be what Python allows as keys of plain dictionaries, too.
 * @module
 */

import { once } from "../../process/once.ts";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";

/** A value of a running template: an object of one of the package's classes. */
export interface Value {
  readonly type: string;
  readonly value: unknown;
  /** Python's `bool()`. */
  __bool__(): { readonly value: boolean };
}
/** A key of a mapping. */
export type Key = string | number | boolean | null;

type Class<T> = new (value: T) => Value;

const classOf = <T>(value: unknown) => new Environment().set("value", value).constructor as Class<T>;

/** The value that an expression has. */
function evaluated(expression: string): Value {
  const environment = new Environment();
  new Interpreter(environment).run(parse(tokenize(`{% set value = ${expression} %}`)));
  return environment.lookupVariable("value");
}

const StringValue = classOf<string>("");
const BooleanValue = classOf<boolean>(true);
const IntegerValue = classOf<number>(1);
const FloatValue = classOf<number>(0.5);
const ArrayValue = classOf<Value[]>([]);
const ObjectValue = classOf<Map<Key, Value>>({});
const FunctionValue = classOf<(args: Value[]) => Value>(() => 0);
/** It comes from an expression alone: reading one takes a program that starts longer than all the others. */
const tupleClass = once(() => evaluated("(1, 2)").constructor as Class<Value[]>);

/** Python's `None`, and Jinja's undefined. */
export const NONE: Value = new Environment().set("value", null);
export const UNDEFINED: Value = new Environment().set("value", undefined);

export const string = (value: string): Value => new StringValue(value);
export const boolean = (value: boolean): Value => new BooleanValue(value);
export const integer = (value: number): Value => new IntegerValue(value);
export const float = (value: number): Value => new FloatValue(value);
export const list = (value: Value[]): Value => new ArrayValue(value);
export const tuple = (value: Value[]): Value => new (tupleClass())(value);
export const dictionary = (value: Map<Key, Value>): Value => new ObjectValue(value);
export const callable = (value: (args: Value[]) => Value): Value => new FunctionValue(value);
/** A whole number as an integer, any other as a float. */
export const number = (value: number, isFloat: boolean): Value => isFloat ? float(value) : integer(value);

export const isString = (value: Value): value is Value & { value: string } => value instanceof StringValue;
export const isInteger = (value: Value): value is Value & { value: number } => value instanceof IntegerValue;
export const isFloat = (value: Value): value is Value & { value: number } => value instanceof FloatValue;
export const isBoolean = (value: Value): value is Value & { value: boolean } => value instanceof BooleanValue;
/** Lists and tuples. */
export const isList = (value: Value): value is Value & { value: Value[] } => value instanceof ArrayValue;
export const isTuple = (value: Value): value is Value & { value: Value[] } => value.type === "TupleValue";
export const isDictionary = (value: Value): value is Value & { value: Map<Key, Value> } =>
  value instanceof ObjectValue;
/** Dictionaries and namespaces: what has attributes. */
export const hasAttributes = (value: Value): value is Value & { value: Map<Key, Value> } =>
  isDictionary(value) || value.type === "NamespaceValue";
export const isCallable = (value: Value) => value instanceof FunctionValue;
export const isNone = (value: Value) => value.constructor === NONE.constructor;
export const isUndefined = (value: Value) => value.constructor === UNDEFINED.constructor;
/** Named arguments, which come last among those of a call. */
export const isNamed = (value: Value | undefined): value is Value & { value: Map<Key, Value> } =>
  value?.type === "KeywordArgumentsValue";

/** A number, or true and false as one; undefined for other values. */
export function numeric(value: Value): number | undefined {
  return isInteger(value) || isFloat(value) || isBoolean(value) ? Number(value.value) : undefined;
}

export const isTrue = (value: Value): boolean => value.__bool__().value;

/** The value of a key. */
export function ofKey(key: Key): Value {
  if (key === null) return NONE;
  if (typeof key === "string") return string(key);
  return typeof key === "boolean" ? boolean(key) : number(key, !Number.isInteger(key));
}

/** The key that a value is, or undefined for one that is none. */
export function keyOf(value: Value): Key | undefined {
  if (isNone(value)) return null;
  return isString(value) || numeric(value) !== undefined ? value.value as Key : undefined;
}

/** What a loop goes through: items, keys, or characters; undefined for what has none. */
export function itemsOf(value: Value): Value[] | undefined {
  if (isList(value)) return value.value;
  if (isString(value)) return Array.from(value.value, string);
  if (isDictionary(value)) return Array.from(value.value.keys(), ofKey);
  return isUndefined(value) ? [] : undefined;
}

/** Most characters, items, or values within values that one step makes or goes through. */
const STEP_MAX = 1 << 24;
const NODES_MAX = 1 << 20;

/** Throws where a text or list that is about to be made would be too long: the budget sees it when it is there. */
export function checkLength(length: number): void {
  if (length > STEP_MAX) throw new Error(`a value of ${length} characters or items is too long`);
}

/** Throws for a value that holds too many: a list that holds itself twice, forty times over, is soon made. */
export function checkNodes(value: Value): void {
  let left = NODES_MAX;
  const visit = (value: Value) => {
    if (!isList(value) && !hasAttributes(value)) return;
    left -= isList(value) ? value.value.length : value.value.size;
    if (left < 0) throw new Error("a value holds too many others");
    value.value.forEach(visit);
  };
  visit(value);
}

/** Python's `==`. */
export function equal(a: Value, b: Value): boolean {
  if (isList(a) || isDictionary(a)) checkNodes(a);
  return same(a, b);
}

function same(a: Value, b: Value): boolean {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return left === right;
  if (isString(a) && isString(b)) return a.value === b.value;
  if (isList(a) && isList(b)) {
    return isTuple(a) === isTuple(b) && a.value.length === b.value.length &&
      a.value.every((item, i) => same(item, b.value[i]));
  }
  if (isDictionary(a) && isDictionary(b)) {
    return a.value.size === b.value.size && [...a.value].every(([key, value]) => {
      const other = b.value.get(key);
      return other !== undefined && same(value, other);
    });
  }
  if (isNone(a) || isUndefined(a)) return a.constructor === b.constructor;
  return a === b;
}

/** Negative, 0 or positive, as Python's `<` orders numbers, texts and lists; throws for all others. */
export function compare(a: Value, b: Value): number {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return left - right;
  if (isString(a) && isString(b)) return compareTexts(a.value, b.value);
  if (isList(a) && isList(b)) {
    checkNodes(a);
    const at = a.value.findIndex((item, i) => i >= b.value.length || !equal(item, b.value[i]));
    if (at < 0) return a.value.length - b.value.length;
    return at >= b.value.length ? 1 : compare(a.value[at], b.value[at]);
  }
  throw new Error(`cannot compare ${a.type} with ${b.type}`);
}

/** By code points, as Python orders texts. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, i) => character !== right[i]);
  if (at < 0 || at >= right.length) return left.length - right.length;
  return left[at].codePointAt(0)! - right[at].codePointAt(0)!;
}

/** Gives a template a variable that is a value already. */
export function setValue(environment: Environment, name: string, value: Value): void {
  environment.setVariable(name, value as ReturnType<Environment["set"]>);
}
