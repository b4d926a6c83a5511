/** Python's two ways of filling values into a text: `'%s' % value` and `'{}'.format(value)`. @module */

import { floatText, reprOf, textOf } from "./text.ts";
import {
  hasAttributes,
  isDictionary,
  isFloat,
  isInteger,
  isList,
  isString,
  isTuple,
  type Key,
  numeric,
  type Value,
} from "./values.ts";

/** How a value is written: `[[fill]align][sign][#][0][width][,][.precision][type]`. */
interface Spec {
  readonly fill?: string;
  readonly align?: string;
  readonly sign?: string;
  readonly alternate?: boolean;
  readonly width?: number;
  readonly grouping?: string;
  readonly precision?: number;
  readonly type?: string;
}

/** Longest text that one value may be widened to. */
const WIDTH_MAX = 100_000;
const PERCENT =
  /%(?:\((?<name>[^)]*)\))?(?<flags>[-+ 0#]*)(?<width>\d*)(?:\.(?<precision>\d*))?(?<type>.?)/gsu;
const SPEC =
  /^(?:(?<fill>.)?(?<align>[<>=^]))?(?<sign>[-+ ])?(?<alternate>#)?(?<zero>0)?(?<width>\d+)?(?<grouping>[,_])?(?:\.(?<precision>\d+))?(?<type>[bcdeEfFgGnosxX%])?$/su;

/** `text % value`. Throws for a conversion that Python does not know, or values that do not fit. */
export function percentFormat(text: string, value: Value): string {
  const positional = isTuple(value) ? [...value.value] : [value];
  let next = 0;
  const filled = text.replaceAll(PERCENT, (...all) => {
    const { name, flags, width, precision, type } = all.at(-1) as Record<string, string | undefined>;
    if (type === "%") return "%";
    if (!type || !"sradiufFeEgGxXoc".includes(type)) throw new Error("incomplete or unknown format");
    let given: Value | undefined;
    if (name !== undefined) given = isDictionary(value) ? value.value.get(name) : undefined;
    else given = positional[next++];
    if (given === undefined) throw new Error("not enough arguments for the format");
    const written = type === "r" || type === "a" ? reprOf(given) : undefined;
    const isNumber = written === undefined && type !== "s" && type !== "c";
    const spec: Spec = {
      align: flags!.includes("-") ? "<" : isNumber && flags!.includes("0") ? "=" : ">",
      fill: isNumber && flags!.includes("0") && !flags!.includes("-") ? "0" : " ",
      sign: flags!.includes("+") ? "+" : flags!.includes(" ") ? " " : undefined,
      alternate: flags!.includes("#"),
      width: width ? Number(width) : undefined,
      precision: precision === undefined ? undefined : Number(precision),
      type: type === "i" || type === "u" ? "d" : type,
    };
    if (!isNumber) return padded((written ?? textOf(given)).slice(0, spec.precision), spec);
    return numberText(requireNumber(given), isFloat(given) && spec.type === "d", spec);
  });
  if (next < positional.length && !isDictionary(value)) {
    throw new Error("not all arguments are used by the format");
  }
  return filled;
}

/** `text.format(…)`. Throws for a text or values that do not fit. */
export function braceFormat(
  text: string,
  positional: readonly Value[],
  named: ReadonlyMap<Key, Value>,
): string {
  let next = 0;
  const fill = (source: string, depth: number): string =>
    source.replaceAll(/\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]/gu, (all, field?: string) => {
      if (all === "{{" || all === "}}") return all[0];
      if (field === undefined || depth > 1) throw new Error("single brace in a format");
      const [, path, conversion, spec] = /^([^!:]*)(?:!([rsa]))?(?::(.*))?$/su.exec(field) ?? [];
      if (path === undefined) throw new Error(`the format ${JSON.stringify(field)} is none`);
      const [first] = /^[^.[]*/.exec(path)!;
      const start = first === ""
        ? positional[next++]
        : /^\d+$/.test(first)
        ? positional[+first]
        : named.get(first);
      const value = follow(start, path.slice(first.length));
      const plain = conversion === undefined ? undefined : conversion === "s" ? textOf(value) : reprOf(value);
      return specText(plain ?? value, spec === undefined ? "" : fill(spec, depth + 1));
    });
  return fill(text, 0);
}

/** The value at `.name` and `[key]` of a value. */
function follow(value: Value | undefined, path: string): Value {
  for (const [, name, key] of path.matchAll(/\.([^.[]+)|\[([^\]]*)\]/g)) {
    const at = name ?? key;
    if (value !== undefined && isList(value)) value = value.value[Number(at)];
    else value = value !== undefined && hasAttributes(value) ? value.value.get(at) : undefined;
  }
  if (value === undefined) throw new Error("a format asks for a value that is not there");
  return value;
}

function specText(value: Value | string, source: string): string {
  const groups = SPEC.exec(source)?.groups;
  if (groups === undefined) throw new Error(`the format ${JSON.stringify(source)} is none`);
  const { width, precision } = groups;
  const spec: Spec = {
    ...groups,
    alternate: groups.alternate !== undefined,
    fill: groups.fill ?? (groups.zero ? "0" : undefined),
    align: groups.align ?? (groups.zero ? "=" : undefined),
    width: width === undefined ? undefined : Number(width),
    precision: precision === undefined ? undefined : Number(precision),
  };
  const amount = typeof value === "string" ? undefined : numeric(value);
  const isText = amount === undefined || typeof value !== "string" && !isInteger(value) && !isFloat(value);
  if (isText) {
    if (spec.type !== undefined && spec.type !== "s") throw new Error(`a text has no format ${spec.type}`);
    return padded((typeof value === "string" ? value : textOf(value)).slice(0, spec.precision), spec);
  }
  return numberText(amount, isFloat(value as Value) && spec.type === undefined, {
    ...spec,
    align: spec.align ?? ">",
  });
}

function requireNumber(value: Value): number {
  const amount = numeric(value);
  if (amount === undefined) {
    throw new Error(`a number is required, not ${isString(value) ? "a text" : value.type}`);
  }
  return amount;
}

/** A number with sign, digits and width. `isPlain`: a float for which no type is given. */
function numberText(value: number, isPlain: boolean, spec: Spec): string {
  const { type = isPlain ? "" : "d", precision, sign: signs } = spec;
  const size = Math.abs(value);
  const isNegative = value < 0 || Object.is(value, -0);
  let digits = digitsOf(size, type, precision, spec.alternate === true);
  if (spec.grouping) {
    digits = digits.replace(/^\d+/, (whole) => whole.replaceAll(/\B(?=(\d{3})+$)/g, spec.grouping!));
  }
  const sign = isNegative ? "-" : signs === "+" || signs === " " ? signs : "";
  if (spec.align !== "=") return padded(sign + digits, spec);
  return sign + digits.padStart(Math.min(spec.width ?? 0, WIDTH_MAX) - sign.length, spec.fill ?? " ");
}

function digitsOf(size: number, type: string, precision: number | undefined, alternate: boolean): string {
  const bases: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2 };
  if (type in bases) {
    const digits = Math.trunc(size).toString(bases[type]);
    const written = (alternate ? `0${type.toLowerCase()}` : "") + digits;
    return type === "X" ? written.toUpperCase() : written;
  }
  const places = Math.min(precision ?? 6, 100);
  const exponent = (text: string) => text.replace(/e([+-])(\d)$/, "e$10$2");
  switch (type.toLowerCase()) {
    case "d":
    case "n":
      return String(Math.trunc(size));
    case "c":
      return String.fromCodePoint(size);
    case "f":
      return size.toFixed(places);
    case "%":
      return `${(size * 100).toFixed(places)}%`;
    case "e":
      return cased(exponent(size.toExponential(places)), type);
    case "g": {
      const power = size === 0 ? 0 : Number(size.toExponential(Math.max(places, 1) - 1).split("e")[1]);
      if (power < -4 || power >= Math.max(places, 1)) {
        return cased(exponent(size.toExponential(Math.max(places, 1) - 1).replace(/\.?0+e/, "e")), type);
      }
      const text = size.toFixed(Math.max(0, Math.max(places, 1) - 1 - power));
      return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
    }
    default:
      return precision === undefined ? floatText(size) : digitsOf(size, "g", precision, alternate);
  }
}

const cased = (text: string, type: string) => type === type.toLowerCase() ? text : text.toUpperCase();

function padded(text: string, { width = 0, align = "<", fill = " " }: Spec): string {
  const missing = Math.min(width, WIDTH_MAX) - [...text].length;
  if (missing <= 0) return text;
  const before = align === ">" ? missing : align === "^" ? missing >> 1 : 0;
  return fill.repeat(before) + text + fill.repeat(missing - before);
}
