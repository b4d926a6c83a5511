/** Schemas with all keywords that grammars follow, and values near to them, made at random. @module */

type Random = () => number;
type Schema = Record<string, unknown> | boolean;

const NAMES = ["a", "b", "c", "long name", 'qu"ote', "é", "x-1"];
const FREE = ["zz", "x-2", "日", "q"];
const STRINGS = [
  "",
  "a",
  "ab",
  "abc",
  "é日",
  "😀",
  '"\\/',
  "\n",
  "2024-02-29",
  "12:30:00Z",
  "2024-02-29T12:30:00.5+01:00",
  "a@b.co",
  "127.0.0.1",
  "::1",
  "x-1",
  "https://a.b/c?d#e",
  "123e4567-e89b-12d3-a456-426614174000",
  "P1DT2H",
  "a.b",
];
const NUMBERS = [0, 1, -1, 2, 3, 7, 10, 100, -25, 0.5, -0.5, 1.25, 99.9, 1000, 12345, 0.1, -3.75];
const PATTERNS = [
  "^a",
  "b$",
  "^[a-c]+$",
  "^\\d{2,3}$",
  "[^x]",
  "^(a|bc)*$",
  "^\\S+@\\S+$",
  "^.{1,3}$",
  "\\w",
  "é|日",
];
const FORMATS = ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];
const KINDS = ["object", "array", "string", "number", "integer", "boolean", "null"];
const DEPTH_MAX = 3;

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}
function some<T>(random: Random, values: readonly T[], share: number): T[] {
  return values.filter(() => random() < share);
}
const count = (random: Random, below: number) => Math.floor(random() * below);

/** A schema; about one in ten cannot be followed, or nothing fits it. */
export function randomJsonSchema(random: Random): Schema {
  const schema = schemaOf(random, 0);
  if (typeof schema === "boolean" || random() > 0.15) return schema;
  // Definitions, one of which may lead back to the whole.
  const shared = random() < 0.5 ? combined(random, 1) : schemaOf(random, 1);
  if (random() < 0.3) {
    return {
      anyOf: [{ $ref: "#/$defs/shared" }, { type: "array", items: { $ref: "#/$defs/shared" } }],
      $defs: { shared },
    };
  }
  const place = pick(random, ["left", "right"]);
  return {
    $defs: { shared },
    type: "object",
    properties: { [place]: { $ref: "#/$defs/shared" }, more: random() < 0.5 ? { $ref: "#" } : schema },
    required: [place],
    additionalProperties: false,
  };
}

function schemaOf(random: Random, depth: number): Schema {
  const kind = random();
  if (kind < 0.03) return random() < 0.8;
  if (kind < 0.06) return {};
  if (kind < 0.13) {
    return { enum: Array.from({ length: 1 + count(random, 4) }, () => randomValue(random, depth)) };
  }
  if (kind < 0.16) return { const: randomValue(random, depth) };
  if (depth < DEPTH_MAX && kind < 0.24) return combined(random, depth);
  if (kind < 0.28) {
    const types = some(random, KINDS, 0.4);
    return types.length === 0 ? {} : { type: types, ...random() < 0.5 ? numbers(random) : strings(random) };
  }
  const type = pick(random, depth < DEPTH_MAX ? KINDS : KINDS.slice(2));
  switch (type) {
    case "object":
      return objects(random, depth);
    case "array":
      return arrays(random, depth);
    case "string":
      return { type, ...strings(random) };
    case "number":
    case "integer":
      return { type, ...numbers(random) };
    default:
      return { type };
  }
}

function combined(random: Random, depth: number): Schema {
  const part = () => schemaOf(random, depth + 1);
  switch (count(random, 6)) {
    case 0:
      return { anyOf: [part(), part()] };
    case 1:
      return { oneOf: [{ type: "string", ...strings(random) }, { type: "integer", ...numbers(random) }] };
    case 2:
      return { allOf: [part(), part()] };
    case 3:
      return { ...objects(random, depth), anyOf: [{ required: ["a"] }, { properties: { b: part() } }] };
    case 4:
      return { ...objects(random, depth), allOf: [objects(random, depth + 1)] };
    default:
      return { not: { type: pick(random, KINDS.filter((kind) => kind !== "integer")) } };
  }
}

function objects(random: Random, depth: number): Record<string, unknown> {
  const names = some(random, NAMES, 0.35);
  const properties = Object.fromEntries(names.map((name) => [name, schemaOf(random, depth + 1)]));
  return {
    type: "object",
    ...names.length > 0 || random() < 0.5 ? { properties } : {},
    ...random() < 0.6 ? { required: some(random, random() < 0.9 ? names : NAMES, 0.5) } : {},
    ...random() < 0.4 ? { additionalProperties: random() < 0.5 ? false : schemaOf(random, depth + 1) } : {},
    ...random() < 0.1 ? { patternProperties: { "^x-": schemaOf(random, depth + 1) } } : {},
    ...random() < 0.08 ? { propertyNames: strings(random) } : {},
    ...random() < 0.1 ? { minProperties: count(random, 3) } : {},
    ...random() < 0.1 ? { maxProperties: count(random, 4) } : {},
    ...random() < 0.06 ? { dependentRequired: { a: ["b"] } } : {},
  };
}

function arrays(random: Random, depth: number): Record<string, unknown> {
  const least = count(random, 3);
  return {
    type: "array",
    ...random() < 0.8 ? { items: schemaOf(random, depth + 1) } : {},
    ...random() < 0.15 ? { prefixItems: [schemaOf(random, depth + 1), schemaOf(random, depth + 1)] } : {},
    ...random() < 0.3 ? { minItems: least } : {},
    ...random() < 0.3 ? { maxItems: least + count(random, 3) } : {},
  };
}

function strings(random: Random): Record<string, unknown> {
  const least = count(random, 4);
  return {
    ...random() < 0.25 ? { minLength: least } : {},
    ...random() < 0.25 ? { maxLength: least + count(random, 12) } : {},
    ...random() < 0.25
      ? { pattern: pick(random, PATTERNS) }
      : random() < 0.2
      ? { format: pick(random, FORMATS) }
      : {},
  };
}

function numbers(random: Random): Record<string, unknown> {
  const low = pick(random, NUMBERS);
  return {
    ...random() < 0.3 ? { [random() < 0.5 ? "minimum" : "exclusiveMinimum"]: low } : {},
    ...random() < 0.3
      ? { [random() < 0.5 ? "maximum" : "exclusiveMaximum"]: low + Math.abs(pick(random, NUMBERS)) }
      : {},
    ...random() < 0.15 ? { multipleOf: pick(random, [1, 2, 3, 5, 7, 10, 0.5, 0.25, 0.1]) } : {},
  };
}

/** Any value of JSON, of few members. */
export function randomValue(random: Random, depth = 0): unknown {
  const kind = count(random, depth < DEPTH_MAX ? 8 : 6);
  if (kind === 0) return null;
  if (kind === 1) return random() < 0.5;
  if (kind < 4) return pick(random, NUMBERS);
  if (kind < 6) return pick(random, STRINGS);
  if (kind === 6) return Array.from({ length: count(random, 4) }, () => randomValue(random, depth + 1));
  const names = [...some(random, NAMES, 0.25), ...some(random, FREE, 0.1)].slice(0, 4);
  return Object.fromEntries(names.map((name) => [name, randomValue(random, depth + 1)]));
}

/** A value with one thing changed. */
export function mutated(value: unknown, random: Random): unknown {
  if (random() < 0.1) return randomValue(random, 2);
  if (Array.isArray(value)) {
    const items = [...value];
    const at = count(random, items.length + 1);
    const way = random();
    if (way < 0.3) items.splice(at, 1);
    else if (way < 0.5) items.splice(at, 0, at > 0 ? items[at - 1] : randomValue(random, 2));
    else if (items.length > 0) items[at % items.length] = mutated(items[at % items.length], random);
    return items;
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    const at = count(random, entries.length);
    const way = random();
    if (way < 0.3) entries.splice(at, 1);
    else if (way < 0.5) entries.push([pick(random, [...NAMES, ...FREE]), randomValue(random, 2)]);
    else if (entries.length > 0) entries[at] = [entries[at][0], mutated(entries[at][1], random)];
    return Object.fromEntries(entries);
  }
  if (typeof value === "number") {
    const changed = pick(random, [value + 1, value - 1, -value, value * 10, value + 0.5, Math.round(value)]);
    // Small ones are written without exponents.
    return Math.abs(changed) < 1e15 ? Number(changed.toFixed(6)) + 0 : 0;
  }
  if (typeof value === "string") {
    const characters = [...value];
    const at = count(random, characters.length + 1);
    if (random() < 0.4) characters.splice(at, 1);
    else characters.splice(at, random() < 0.5 ? 1 : 0, pick(random, [..."aZ1 é日-.@:", '"', "\n"]));
    return characters.join("");
  }
  return randomValue(random, 2);
}
