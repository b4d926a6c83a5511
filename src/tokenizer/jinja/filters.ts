/** Jinja's filters, as `value | name(…)` calls them. @module */

import { Arguments } from "./arguments.ts";
import { isWhat } from "./conditions.ts";
import { percentFormat } from "./format.ts";
import { capitalize, entriesOf, join, replace, strip, titleCase } from "./methods.ts";
import { jsonOf, reprOf, textOf } from "./text.ts";
import {
  checkLength,
  compare,
  dictionary,
  equal,
  float,
  hasAttributes,
  integer,
  isFloat,
  isList,
  isNone,
  isString,
  isTrue,
  isUndefined,
  itemsOf,
  type Key,
  keyOf,
  list,
  NONE,
  number,
  numeric,
  string,
  tuple,
  UNDEFINED,
  type Value,
} from "./values.ts";

/** A filter of this name makes a tuple of its value: `(x,)`. */
export const ONLY_ITEM = "(,)";

type Filter = (value: Value, args: Arguments) => Value;

/** The value of a filter. Throws for one that is not there, and for values that it does not take. */
export function applyFilter(name: string, value: Value, args: Arguments): Value {
  if (!Object.hasOwn(FILTERS, name)) throw new Error(`unknown filter: ${name}`);
  return FILTERS[name](value, args);
}

const onText = (change: (text: string) => string): Filter => (value) => string(change(textOf(value)));

function items(value: Value): Value[] {
  const found = isNone(value) ? [] : itemsOf(value);
  if (found === undefined) throw new Error(`a ${value.type} has no items`);
  return found;
}

/** What `attribute` names of an item, such as "a.b" or 0; the item itself where it names nothing. */
function attributeOf(item: Value, attribute: Value | undefined): Value {
  if (attribute === undefined || isNone(attribute)) return item;
  let at = item;
  for (const part of textOf(attribute).split(".")) {
    const isIndex = /^\d+$/.test(part);
    if (isList(at)) at = (isIndex ? at.value[Number(part)] : undefined) ?? UNDEFINED;
    else if (hasAttributes(at)) {
      at = at.value.get(part) ?? (isIndex ? at.value.get(Number(part)) : undefined) ?? UNDEFINED;
    } else at = UNDEFINED;
  }
  return at;
}

/** Texts that are compared without regard to case. */
function comparable(value: Value, isCaseSensitive: boolean): Value {
  return isString(value) && !isCaseSensitive ? string(value.value.toLowerCase()) : value;
}

function sorted(all: readonly Value[], keyOfItem: (item: Value) => Value, isReversed: boolean): Value[] {
  const keyed = all.map((item) => ({ item, key: keyOfItem(item) }));
  keyed.sort((a, b) => isReversed ? compare(b.key, a.key) : compare(a.key, b.key));
  return keyed.map(({ item }) => item);
}

/** The smallest item, or the largest with a `sign` of -1. */
function extreme(value: Value, args: Arguments, sign: number): Value {
  const keyOfItem = (item: Value) =>
    comparable(attributeOf(item, args.get(1, "attribute")), args.flag(0, "case_sensitive"));
  let best: Value | undefined;
  for (const item of items(value)) {
    if (best === undefined || sign * compare(keyOfItem(item), keyOfItem(best)) < 0) best = item;
  }
  return best ?? UNDEFINED;
}

/** Those for which a test holds, or does not. `first`: where among the arguments the test stands. */
function selected(value: Value, args: Arguments, isWanted: boolean, first: number): Value {
  const attribute = first === 0 ? undefined : args.need(0);
  const name = args.string(first);
  const other = args.positional[first + 1] ?? UNDEFINED;
  return list(
    items(value).filter((item) => {
      const tested = attributeOf(item, attribute);
      return (name === undefined ? isTrue(tested) : isWhat(name, tested, other)) === isWanted;
    }),
  );
}

function mapped(value: Value, args: Arguments): Value {
  const attribute = args.named.get("attribute");
  if (attribute !== undefined) {
    return list(
      items(value).map((item) => {
        const found = attributeOf(item, attribute);
        return isUndefined(found) ? args.named.get("default") ?? found : found;
      }),
    );
  }
  const name = args.string(0);
  if (name === undefined) throw new Error("map needs a filter or an attribute");
  const rest = new Arguments(args.positional.slice(1));
  return list(items(value).map((item) => applyFilter(name, item, rest)));
}

function dictSorted(value: Value, args: Arguments): Value {
  if (!hasAttributes(value)) throw new Error(`a ${value.type} cannot be sorted by keys`);
  const by = args.string(1, "by") === "value" ? 1 : 0;
  const keyOfItem = (pair: Value) => comparable((pair.value as Value[])[by], args.flag(0, "case_sensitive"));
  return list(sorted(entriesOf(value.value), keyOfItem, args.flag(2, "reverse")));
}

function indented(value: Value, args: Arguments): Value {
  const width = args.get(0, "width") ?? integer(4);
  const indent = isString(width) ? width.value : " ".repeat(Math.min(numeric(width) ?? 4, 10_000));
  const [first, blank] = [args.flag(1, "first"), args.flag(2, "blank")];
  const lines = textOf(value).split("\n");
  checkLength(lines.length * indent.length);
  return string(
    lines.map((line, i) => {
      return (i === 0 ? first : blank || line !== "") ? indent + line : line;
    }).join("\n"),
  );
}

function rounded(value: Value, args: Arguments): Value {
  const amount = numeric(value) ?? 0;
  const scale = 10 ** args.number(0, "precision", 0);
  const method = args.string(1, "method") ?? "common";
  if (method === "ceil") return float(Math.ceil(amount * scale) / scale);
  if (method === "floor") return float(Math.floor(amount * scale) / scale);
  // Halves go to the even neighbour.
  const [below, part] = [Math.floor(amount * scale), amount * scale - Math.floor(amount * scale)];
  const up = part > 0.5 || part === 0.5 && below % 2 !== 0;
  return float((below + (up ? 1 : 0)) / scale);
}

function toInteger(value: Value, args: Arguments): Value {
  const fallback = args.get(0, "default") ?? integer(0);
  const amount = numeric(value);
  if (amount !== undefined) return integer(Math.trunc(amount));
  const text = isString(value) ? strip(value.value, undefined) : "";
  if (/^[+-]?\d+$/.test(text)) return integer(Number(text));
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? integer(Math.trunc(Number(text))) : fallback;
}

function toFloat(value: Value, args: Arguments): Value {
  const amount = numeric(value);
  if (amount !== undefined) return float(amount);
  const text = isString(value) ? strip(value.value, undefined) : "";
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  return isNumber ? float(Number(text)) : args.get(0, "default") ?? float(0);
}

function toJson(value: Value, args: Arguments): Value {
  const indent = args.get(1, "indent");
  const separators = args.get(2, "separators");
  return string(jsonOf(value, {
    ensureAscii: args.flag(0, "ensure_ascii"),
    indent: indent === undefined || isNone(indent) ? undefined : indent.value as number | string,
    separators: separators === undefined || !isList(separators)
      ? undefined
      : [textOf(separators.value[0]), textOf(separators.value[1])],
    sortKeys: args.flag(3, "sort_keys"),
  }));
}

function unique(value: Value, args: Arguments): Value {
  const seen = new Set<string>();
  return list(
    items(value).filter((item) => {
      const key = comparable(attributeOf(item, args.get(1, "attribute")), args.flag(0, "case_sensitive"));
      const amount = numeric(key);
      return seen.size < seen.add(amount === undefined ? reprOf(key) : String(amount)).size;
    }),
  );
}

/** Lists of as many items as said, the last one filled up where there is something to fill it with. */
function batches(value: Value, args: Arguments): Value {
  const size = Math.max(1, args.number(0, "linecount", 1));
  const fill = args.get(1, "fill_with");
  const all = items(value);
  const rows = Array.from(
    { length: Math.ceil(all.length / size) },
    (_, i) => all.slice(i * size, (i + 1) * size),
  );
  const last = rows.at(-1);
  while (last !== undefined && fill !== undefined && !isNone(fill) && last.length < size) last.push(fill);
  return list(rows.map(list));
}

function grouped(value: Value, args: Arguments): Value {
  const keyOfItem = (item: Value) => {
    const key = attributeOf(item, args.need(0, "attribute"));
    return comparable(isUndefined(key) ? args.get(1, "default") ?? key : key, args.flag(2, "case_sensitive"));
  };
  const groups: { key: Value; all: Value[] }[] = [];
  for (const item of sorted(items(value), keyOfItem, false)) {
    const key = keyOfItem(item);
    const last = groups.at(-1);
    if (last !== undefined && equal(last.key, key)) last.all.push(item);
    else groups.push({ key, all: [item] });
  }
  return list(groups.map(({ key, all }) => tuple([key, list(all)])));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&#39;",
  '"': "&#34;",
};
const escape = onText((text) => text.replaceAll(/[&<>'"]/g, (character) => ENTITIES[character]));

function fallback(value: Value, args: Arguments): Value {
  const isMissing = isUndefined(value) || args.flag(1, "boolean") && !isTrue(value);
  return isMissing ? args.get(0, "default_value") ?? string("") : value;
}

function length(value: Value): Value {
  if (isString(value)) return integer([...value.value].length);
  if (isUndefined(value)) return integer(0);
  if (!isList(value) && !hasAttributes(value)) throw new Error(`a ${value.type} has no length`);
  return integer(isList(value) ? value.value.length : value.value.size);
}

function reversed(value: Value): Value {
  return isString(value) ? string([...value.value].reverse().join("")) : list(items(value).toReversed());
}

function sum(value: Value, args: Arguments): Value {
  const all = items(value).map((item) => attributeOf(item, args.get(0, "attribute")));
  const start = args.get(1, "start") ?? integer(0);
  const total = all.reduce((sum, item) => sum + (numeric(item) ?? NaN), numeric(start) ?? 0);
  if (Number.isNaN(total)) throw new Error("only numbers have a sum");
  return number(total, [start, ...all].some(isFloat));
}

const FILTERS: Readonly<Record<string, Filter>> = {
  // How a tuple of one item is written for the parser.
  [ONLY_ITEM]: (value) => tuple([value]),
  abs: (value) => number(Math.abs(numeric(value) ?? NaN), isFloat(value)),
  attr: (value, args) =>
    hasAttributes(value) ? value.value.get(args.string(0) ?? "") ?? UNDEFINED : UNDEFINED,
  batch: batches,
  bool: (value) => value,
  capitalize: onText(capitalize),
  center: (value, args) => {
    const missing = Math.min(args.number(0, "width", 80), 100_000) - [...textOf(value)].length;
    const before = Math.max(0, missing >> 1);
    return string(" ".repeat(before) + textOf(value) + " ".repeat(Math.max(0, missing - before)));
  },
  count: length,
  d: fallback,
  default: fallback,
  dictsort: dictSorted,
  e: escape,
  escape,
  first: (value) => items(value)[0] ?? UNDEFINED,
  float: toFloat,
  forceescape: escape,
  format: (value, args) => string(percentFormat(textOf(value), tuple([...args.positional]))),
  groupby: grouped,
  indent: indented,
  int: toInteger,
  items: (value) => list(hasAttributes(value) ? entriesOf(value.value) : []),
  join: (value, args) => {
    const parts = items(value).map((item) => attributeOf(item, args.get(1, "attribute")));
    return string(join(parts, textOf(args.get(0, "d") ?? UNDEFINED)));
  },
  last: (value) => items(value).at(-1) ?? UNDEFINED,
  length,
  list: (value) => list([...items(value)]),
  lower: onText((text) => text.toLowerCase()),
  map: mapped,
  max: (value, args) => extreme(value, args, -1),
  min: (value, args) => extreme(value, args, 1),
  reject: (value, args) => selected(value, args, false, 0),
  rejectattr: (value, args) => selected(value, args, false, 1),
  replace: (value, args) =>
    string(replace(
      textOf(value),
      textOf(args.need(0, "old")),
      textOf(args.need(1, "new")),
      args.number(2, "count", -1),
    )),
  reverse: reversed,
  round: rounded,
  safe: (value) => value,
  select: (value, args) => selected(value, args, true, 0),
  selectattr: (value, args) => selected(value, args, true, 1),
  sort: (value, args) => {
    const keyOfItem = (item: Value) =>
      comparable(attributeOf(item, args.get(2, "attribute")), args.flag(1, "case_sensitive"));
    return list(sorted(items(value), keyOfItem, args.flag(0, "reverse")));
  },
  string: (value) => string(textOf(value)),
  sum,
  title: onText(titleCase),
  tojson: toJson,
  trim: (value, args) => string(strip(textOf(value), args.string(0, "chars"))),
  unique,
  upper: onText((text) => text.toUpperCase()),
  wordcount: (value) => integer(textOf(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
};

/** The function `dict(…)`: entries of a dictionary or of pairs, and named ones. */
export function makeDictionary(all: Value[]): Value {
  const args = Arguments.of(all);
  const entries = new Map<Key, Value>();
  const given = args.positional[0];
  const pairs = given === undefined ? [] : hasAttributes(given) ? entriesOf(given.value) : items(given);
  for (const pair of pairs) {
    const [key, value] = items(pair);
    entries.set(keyOf(key) ?? null, value ?? NONE);
  }
  for (const [key, value] of args.named) entries.set(key, value);
  return dictionary(entries);
}
