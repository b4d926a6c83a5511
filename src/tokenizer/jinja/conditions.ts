/** What stands behind `is`: Jinja's tests. @module */

import { textOf } from "./text.ts";
import {
  compare,
  equal,
  isBoolean,
  isCallable,
  isDictionary,
  isFloat,
  isInteger,
  isList,
  isNone,
  isString,
  isUndefined,
  itemsOf,
  numeric,
  type Value,
} from "./values.ts";
import { contains } from "./operators.ts";

type Condition = (value: Value, other: Value) => boolean;

const less: Condition = (value, other) => compare(value, other) < 0;
const lessOrEqual: Condition = (value, other) => compare(value, other) <= 0;
const greater: Condition = (value, other) => compare(value, other) > 0;
const greaterOrEqual: Condition = (value, other) => compare(value, other) >= 0;
const different: Condition = (value, other) => !equal(value, other);

function remainder(value: Value, by: number): number {
  const amount = numeric(value);
  if (amount === undefined) throw new Error(`a number is required, not a ${value.type}`);
  return amount - by * Math.floor(amount / by);
}

const CONDITIONS: Readonly<Record<string, Condition>> = {
  defined: (value) => !isUndefined(value),
  undefined: isUndefined,
  none: isNone,
  boolean: isBoolean,
  true: (value) => isBoolean(value) && value.value,
  false: (value) => isBoolean(value) && !value.value,
  integer: isInteger,
  float: isFloat,
  number: (value) => numeric(value) !== undefined,
  string: isString,
  mapping: isDictionary,
  sequence: (value) => isList(value) || isString(value) || isDictionary(value) || isUndefined(value),
  iterable: (value) => itemsOf(value) !== undefined,
  callable: isCallable,
  escaped: () => false,
  lower: (value) => /\p{L}/u.test(textOf(value)) && textOf(value) === textOf(value).toLowerCase(),
  upper: (value) => /\p{L}/u.test(textOf(value)) && textOf(value) === textOf(value).toUpperCase(),
  odd: (value) => remainder(value, 2) === 1,
  even: (value) => remainder(value, 2) === 0,
  divisibleby: (value, other) => remainder(value, numeric(other) ?? NaN) === 0,
  sameas: (value, other) =>
    value === other || value.type === other.type && !isList(value) && equal(value, other),
  in: (value, other) => contains(other, value),
  eq: equal,
  equalto: equal,
  "==": equal,
  ne: different,
  "!=": different,
  lt: less,
  lessthan: less,
  "<": less,
  le: lessOrEqual,
  "<=": lessOrEqual,
  gt: greater,
  greaterthan: greater,
  ">": greater,
  ge: greaterOrEqual,
  ">=": greaterOrEqual,
};

/** Whether a value is what a name says. Throws for an unknown name. */
export function isWhat(name: string, value: Value, other: Value): boolean {
  if (!Object.hasOwn(CONDITIONS, name)) throw new Error(`unknown test: ${name}`);
  return CONDITIONS[name](value, other);
}
