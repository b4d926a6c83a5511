/** Python's operators. @module */

import { percentFormat } from "./format.ts";
import { textOf } from "./text.ts";
import {
  boolean,
  checkLength,
  compare,
  equal,
  float,
  hasAttributes,
  isDictionary,
  isFloat,
  isList,
  isNone,
  isString,
  isTuple,
  isUndefined,
  keyOf,
  list,
  number,
  numeric,
  string,
  tuple,
  type Value,
} from "./values.ts";

/** The value of `left operator right`. Throws for operands that Python does not know together. */
export function operate(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case "==":
      return boolean(equal(left, right));
    case "!=":
      return boolean(!equal(left, right));
    case "in":
      return boolean(contains(right, left));
    case "not in":
      return boolean(!contains(right, left));
    case "~":
      return string(textOf(left) + textOf(right));
    case "<":
      return boolean(compare(left, right) < 0);
    case "<=":
      return boolean(compare(left, right) <= 0);
    case ">":
      return boolean(compare(left, right) > 0);
    case ">=":
      return boolean(compare(left, right) >= 0);
    default:
      return arithmetic(operator, left, right);
  }
}

/** Python's `item in container`. Nothing is in an undefined value. */
export function contains(container: Value, item: Value): boolean {
  if (isUndefined(container)) return false;
  if (isString(container)) {
    if (isUndefined(item)) return false;
    if (!isString(item)) throw new Error(`a text cannot contain a ${item.type}`);
    return container.value.includes(item.value);
  }
  if (isList(container)) return container.value.some((other) => equal(other, item));
  if (hasAttributes(container)) {
    const key = keyOf(item);
    return key !== undefined && container.value.has(key);
  }
  throw new Error(`a ${container.type} contains nothing`);
}

function arithmetic(operator: string, left: Value, right: Value): Value {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return calculate(operator, a, b, isFloat(left) || isFloat(right));
  if (operator === "%" && isString(left)) return string(percentFormat(left.value, right));
  if (operator === "*" && b !== undefined && (isString(left) || isList(left))) return repeat(left, b);
  if (operator === "*" && a !== undefined && (isString(right) || isList(right))) return repeat(right, a);
  if (operator === "+") {
    if (isList(left) && isList(right)) {
      const items = [...left.value, ...right.value];
      return isTuple(left) && isTuple(right) ? tuple(items) : list(items);
    }
    // Python joins only texts; templates that were written for other engines put numbers behind them.
    const isJoined = isString(left) || isString(right);
    const hasNothing = [left, right].some((side) => isNone(side) || isUndefined(side) || isDictionary(side));
    if (isJoined && !hasNothing) return string(textOf(left) + textOf(right));
  }
  throw new Error(`no operator ${operator} between ${left.type} and ${right.type}`);
}

function calculate(operator: string, a: number, b: number, isFloat: boolean): Value {
  if (b === 0 && ["/", "//", "%"].includes(operator)) throw new Error("division by zero");
  switch (operator) {
    case "+":
      return number(a + b, isFloat);
    case "-":
      return number(a - b, isFloat);
    case "*":
      return number(a * b, isFloat);
    case "/":
      return float(a / b);
    case "//":
      return number(Math.floor(a / b), isFloat);
    case "%":
      return number(a - b * Math.floor(a / b), isFloat);
    case "**": {
      const power = a ** b;
      if (!Number.isFinite(power)) throw new Error("the power is no finite number");
      return number(power, isFloat || b < 0);
    }
    default:
      throw new Error(`unknown operator ${operator}`);
  }
}

function repeat(value: Value & { value: string | Value[] }, times: number): Value {
  const count = Math.max(0, Math.trunc(times));
  checkLength(value.value.length * count);
  if (typeof value.value === "string") return string(value.value.repeat(count));
  return list(Array.from({ length: count }, () => value.value as Value[]).flat());
}
