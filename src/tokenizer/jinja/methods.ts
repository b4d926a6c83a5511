/** Methods of Python's texts, lists and dictionaries: those that change nothing. @module */

import { Arguments } from "./arguments.ts";
import { braceFormat } from "./format.ts";
import { textOf } from "./text.ts";
import {
  boolean,
  callable,
  checkLength,
  equal,
  integer,
  isDictionary,
  isList,
  isString,
  itemsOf,
  type Key,
  keyOf,
  list,
  NONE,
  ofKey,
  string,
  tuple,
  type Value,
} from "./values.ts";

/** A method of a value, or undefined where it has none of this name. */
export function methodOf(object: Value, name: string): Value | undefined {
  if (isString(object)) return bind(TEXT, object.value, name);
  if (isDictionary(object)) return bind(DICTIONARY, object.value, name);
  return isList(object) ? bind(LIST, object.value, name) : undefined;
}

type Methods<T> = Readonly<Record<string, (self: T, args: Arguments) => Value>>;

function bind<T>(methods: Methods<T>, self: T, name: string): Value | undefined {
  if (!Object.hasOwn(methods, name)) return undefined;
  return callable((args) => methods[name](self, Arguments.of(args)));
}

const texts = (parts: readonly string[]): Value => list(parts.map(string));

/** White space as Python's `str.strip` knows it: what Unicode calls so, and four of ASCII's separators. */
const SPACES = "[\\p{White_Space}\\x1c-\\x1f]";
const SPACE = new RegExp(SPACES, "u");
const LINE_ENDS = "\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]";

/** `strip`, and on one side `lstrip` and `rstrip`: of white space, or of the characters in `chars`. */
export function strip(text: string, chars: string | undefined, left = true, right = true): string {
  // Character by character only where one of those that are stripped has two units; no white space has.
  const all = chars !== undefined && /[\ud800-\udfff]/.test(chars) ? [...text] : text;
  const isStripped = chars === undefined ? (c: string) => SPACE.test(c) : (c: string) => chars.includes(c);
  let start = 0;
  let end = all.length;
  while (left && start < end && isStripped(all[start])) start++;
  while (right && end > start && isStripped(all[end - 1])) end--;
  const rest = all.slice(start, end);
  return typeof rest === "string" ? rest : rest.join("");
}

/** First letter of each word in upper case, the others in lower case. */
export function titleCase(text: string): string {
  return text.toLowerCase().replaceAll(/\p{L}+/gu, (word) => {
    const [first] = word;
    return first.toUpperCase() + word.slice(first.length);
  });
}

export function capitalize(text: string): string {
  const [first = ""] = text;
  return first.toUpperCase() + text.slice(first.length).toLowerCase();
}

/** `replace`: at most `count` times, from the left; all for a negative one. */
export function replace(text: string, from: string, to: string, count: number): string {
  checkLength(text.length + to.length * (from === "" ? text.length + 1 : text.length / from.length));
  if (count < 0) return text.replaceAll(from, () => to);
  if (from === "") {
    const all = [...text];
    return all.map((c, i) => (i < count ? to : "") + c).join("") + (all.length < count ? to : "");
  }
  const parts = text.split(from);
  if (parts.length - 1 <= count) return parts.join(to);
  return [...parts.slice(0, count), parts.slice(count).join(from)].join(to);
}

/** The texts of items with a text between them. */
export function join(items: readonly Value[], separator: string): string {
  checkLength(items.length * separator.length);
  return items.map(textOf).join(separator);
}

function split(text: string, separator: string | undefined, most: number, fromRight: boolean): string[] {
  if (separator === "") throw new Error("empty separator");
  const parts = separator === undefined ? strip(text, undefined).split(/\s+/u) : text.split(separator);
  if (separator === undefined && parts[0] === "") return [];
  if (most < 0 || parts.length - 1 <= most) return parts;
  if (separator !== undefined) {
    return fromRight
      ? [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)]
      : [...parts.slice(0, most), parts.slice(most).join(separator)];
  }
  // What is not cut keeps its own spaces.
  let rest = strip(text, undefined, !fromRight, fromRight);
  const cut: string[] = [];
  for (let n = 0; n < most; n++) {
    const [part] = (fromRight ? /\S+$/u : /^\S+/u).exec(rest)!;
    cut.push(part);
    rest = fromRight
      ? strip(rest.slice(0, -part.length), undefined, false)
      : strip(rest.slice(part.length), undefined, true, false);
  }
  return fromRight ? [rest, ...cut.reverse()] : [...cut, rest];
}

/** Code points before a place. */
function place(text: string, unit: number): Value {
  return integer(unit < 0 ? -1 : [...text.slice(0, unit)].length);
}

function found(position: Value): Value {
  if (position.value === -1) throw new Error("substring not found");
  return position;
}

function hasEnd(args: Arguments, matches: (end: string) => boolean): Value {
  const wanted = args.need(0);
  const ends = isList(wanted) ? wanted.value : [wanted];
  return boolean(ends.some((end) => isString(end) && matches(end.value)));
}

function partition(text: string, separator: string, at: number, absent: [string, string, string]): Value {
  if (separator === "") throw new Error("empty separator");
  const parts = at < 0 ? absent : [text.slice(0, at), separator, text.slice(at + separator.length)];
  return tuple(parts.map(string));
}

const every = (expression: RegExp) => (text: string) => boolean(expression.test(text));
const justify = (text: string, args: Arguments, before: (missing: number, width: number) => number) => {
  const width = Math.min(args.number(0, "", 0), 100_000);
  const missing = width - [...text].length;
  if (missing <= 0) return string(text);
  const fill = args.string(1) ?? " ";
  const left = before(missing, width);
  return string(fill.repeat(left) + text + fill.repeat(missing - left));
};

const TEXT: Methods<string> = {
  upper: (text) => string(text.toUpperCase()),
  lower: (text) => string(text.toLowerCase()),
  casefold: (text) => string(text.toLowerCase()),
  title: (text) => string(titleCase(text)),
  capitalize: (text) => string(capitalize(text)),
  swapcase: (text) =>
    string(text.replaceAll(/\p{L}/gu, (c) => c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())),
  strip: (text, args) => string(strip(text, args.string(0))),
  lstrip: (text, args) => string(strip(text, args.string(0), true, false)),
  rstrip: (text, args) => string(strip(text, args.string(0), false, true)),
  startswith: (text, args) => hasEnd(args, (start) => text.startsWith(start)),
  endswith: (text, args) => hasEnd(args, (end) => text.endsWith(end)),
  removeprefix: (text, args) => {
    const prefix = args.string(0) ?? "";
    return string(text.startsWith(prefix) ? text.slice(prefix.length) : text);
  },
  removesuffix: (text, args) => {
    const suffix = args.string(0) ?? "";
    return string(suffix !== "" && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text);
  },
  split: (text, args) => texts(split(text, args.string(0, "sep"), args.number(1, "maxsplit", -1), false)),
  rsplit: (text, args) => texts(split(text, args.string(0, "sep"), args.number(1, "maxsplit", -1), true)),
  splitlines: (text, args) => {
    const lines = text.split(new RegExp(`(${LINE_ENDS})`));
    const keeps = args.flag(0, "keepends");
    const joined: string[] = [];
    for (let i = 0; i < lines.length; i += 2) joined.push(lines[i] + (keeps ? lines[i + 1] ?? "" : ""));
    return texts(lines.at(-1) === "" ? joined.slice(0, -1) : joined);
  },
  partition: (text, args) => {
    const separator = args.string(0) ?? "";
    return partition(text, separator, text.indexOf(separator), [text, "", ""]);
  },
  rpartition: (text, args) => {
    const separator = args.string(0) ?? "";
    return partition(text, separator, text.lastIndexOf(separator), ["", "", text]);
  },
  replace: (text, args) =>
    string(replace(text, args.string(0) ?? "", args.string(1) ?? "", args.number(2, "count", -1))),
  join: (text, args) => string(join(itemsOf(args.need(0)) ?? [], text)),
  format: (text, args) => string(braceFormat(text, args.positional, args.named)),
  count: (text, args) => {
    const part = args.string(0) ?? "";
    return integer(part === "" ? [...text].length + 1 : text.split(part).length - 1);
  },
  find: (text, args) => place(text, text.indexOf(args.string(0) ?? "")),
  rfind: (text, args) => place(text, text.lastIndexOf(args.string(0) ?? "")),
  index: (text, args) => found(place(text, text.indexOf(args.string(0) ?? ""))),
  rindex: (text, args) => found(place(text, text.lastIndexOf(args.string(0) ?? ""))),
  isdigit: every(/^\p{Nd}+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isspace: every(new RegExp(`^${SPACES}+$`, "u")),
  isupper: (text) =>
    boolean(/\p{L}/u.test(text) && text === text.toUpperCase() && text !== text.toLowerCase()),
  islower: (text) =>
    boolean(/\p{L}/u.test(text) && text === text.toLowerCase() && text !== text.toUpperCase()),
  zfill: (text, args) => {
    const sign = /^[+-]/.exec(text)?.[0] ?? "";
    return string(
      sign + text.slice(sign.length).padStart(Math.min(args.number(0, "", 0), 100_000) - sign.length, "0"),
    );
  },
  ljust: (text, args) => justify(text, args, () => 0),
  rjust: (text, args) => justify(text, args, (missing) => missing),
  center: (text, args) => justify(text, args, (missing, width) => (missing >> 1) + (missing & width & 1)),
};

/** Key and value of each entry. */
export function entriesOf(entries: ReadonlyMap<Key, Value>): Value[] {
  return Array.from(entries, ([key, value]) => tuple([ofKey(key), value]));
}

const DICTIONARY: Methods<Map<Key, Value>> = {
  get: (entries, args) => {
    const key = keyOf(args.need(0));
    return (key === undefined ? undefined : entries.get(key)) ?? args.get(1) ?? NONE;
  },
  items: (entries) => list(entriesOf(entries)),
  keys: (entries) => list(Array.from(entries.keys(), ofKey)),
  values: (entries) => list([...entries.values()]),
};

const LIST: Methods<Value[]> = {
  index: (items, args) => {
    const at = items.findIndex((item) => equal(item, args.need(0)));
    if (at < 0) throw new Error("the list has no such item");
    return integer(at);
  },
  count: (items, args) => integer(items.filter((item) => equal(item, args.need(0))).length),
};
