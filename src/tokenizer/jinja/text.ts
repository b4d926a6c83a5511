/** Values as Python writes them: `str()`, `repr()` and `json.dumps()`. @module */

import {
  checkNodes,
  compareTexts,
  hasAttributes,
  isBoolean,
  isDictionary,
  isFloat,
  isInteger,
  isList,
  isNone,
  isString,
  isTuple,
  isUndefined,
  type Key,
  ofKey,
  type Value,
} from "./values.ts";

/** Python's `str()`: what an expression writes. */
export function textOf(value: Value): string {
  if (isString(value)) return value.value;
  return isUndefined(value) ? "" : reprOf(value);
}

/** Python's `repr()`. */
export function reprOf(value: Value): string {
  if (isList(value) || hasAttributes(value)) checkNodes(value);
  return written(value);
}

function written(value: Value): string {
  if (isString(value)) return quoted(value.value);
  if (isBoolean(value)) return value.value ? "True" : "False";
  if (isInteger(value)) return String(value.value);
  if (isFloat(value)) return floatText(value.value);
  if (isNone(value)) return "None";
  if (isUndefined(value)) return "Undefined";
  if (isTuple(value)) {
    return `(${value.value.map(written).join(", ")}${value.value.length === 1 ? "," : ""})`;
  }
  if (isList(value)) return `[${value.value.map(written).join(", ")}]`;
  if (hasAttributes(value)) {
    const items = Array.from(value.value, ([key, item]) => `${written(ofKey(key))}: ${written(item)}`);
    return isDictionary(value) ? `{${items.join(", ")}}` : `<Namespace {${items.join(", ")}}>`;
  }
  throw new Error(`cannot write a ${value.type}`);
}

/** A float with the fewest digits that tell it from others. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits, power] = value.toExponential().split("e");
    return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text in quotes. Private-use characters stay: they may be marks of whose text it is. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll(/[\\\n\r\t]|(?! )[\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{Cn}]|['"]/gu, (character) => {
    if (character === "'" || character === '"') return character === quote ? `\\${quote}` : character;
    if (Object.hasOwn(ESCAPES, character)) return ESCAPES[character];
    const code = character.codePointAt(0)!;
    const hex = (length: number) => code.toString(16).padStart(length, "0");
    return code < 0x100 ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
  });
  return quote + escaped + quote;
}

/** How JSON is written. */
export interface JsonStyle {
  readonly ensureAscii?: boolean;
  /** Spaces of a level, or the text of one. */
  readonly indent?: number | string;
  /** Between items, and between key and value. */
  readonly separators?: readonly [string, string];
  readonly sortKeys?: boolean;
}

/** Python's `json.dumps()`. An undefined value is null: templates of old versions count on it. */
export function jsonOf(value: Value, style: JsonStyle = {}): string {
  if (isList(value) || isDictionary(value)) checkNodes(value);
  return json(value, style, "");
}

function json(value: Value, style: JsonStyle, level: string): string {
  if (isString(value)) return jsonText(value.value, style);
  if (isFloat(value)) return floatText(value.value);
  if (isInteger(value) || isBoolean(value)) return String(value.value);
  if (isNone(value) || isUndefined(value)) return "null";
  if (isList(value)) return enclosed("[", value.value, "]", style, level, json);
  if (!isDictionary(value)) throw new Error(`cannot write a ${value.type} as JSON`);
  const entries = Array.from(value.value, ([key, item]) => [keyText(key), item] as const);
  if (style.sortKeys) entries.sort(([a], [b]) => compareTexts(a, b));
  const colon = style.separators?.[1] ?? ": ";
  return enclosed("{", entries, "}", style, level, ([key, item], style, level) => {
    return jsonText(key, style) + colon + json(item, style, level);
  });
}

function keyText(key: Key): string {
  return typeof key === "string" ? key : jsonOf(ofKey(key));
}

function jsonText(text: string, { ensureAscii }: JsonStyle): string {
  const quoted = JSON.stringify(text);
  if (!ensureAscii) return quoted;
  return quoted.replaceAll(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function enclosed<T>(
  open: string,
  items: readonly T[],
  close: string,
  style: JsonStyle,
  level: string,
  write: (item: T, style: JsonStyle, level: string) => string,
): string {
  const { indent, separators } = style;
  const comma = separators?.[0] ?? (indent === undefined ? ", " : ",");
  if (indent === undefined || items.length === 0) {
    return open + items.map((item) => write(item, style, level)).join(comma) + close;
  }
  const inner = level + (typeof indent === "number" ? " ".repeat(indent) : indent);
  const lines = items.map((item) => `\n${inner}${write(item, style, inner)}`);
  return `${open}${lines.join(comma)}\n${level}${close}`;
}
