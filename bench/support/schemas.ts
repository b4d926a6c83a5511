/** Schemas as tools and clients have them, made at random. @module */

type Schema = Record<string, unknown>;

const NAMES = [
  "name",
  "id",
  "city",
  "unit",
  "start_date",
  "tags",
  "amount",
  "query",
  "limit",
  "user",
  "items",
  "status",
  "email",
  "path",
  "note",
];
const PATTERNS = [
  "^[A-Z]{2,3}-[0-9]{4}$",
  "^#[0-9a-f]{6}$",
  "^\\+?[0-9 ]{6,15}$",
  "^[a-z][a-z0-9_]*$",
  "^(foo|bar|baz)+$",
];
const FORMATS = ["date", "date-time", "email", "uuid", "ipv4", "uri", "time"];

/** A schema of an object; the same numbers give the same one. */
export function randomSchema(random: () => number): Schema {
  return object(random, 0);
}

function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}

function object(random: () => number, depth: number): Schema {
  const count = 1 + Math.floor(random() * 8);
  const properties: Record<string, Schema> = {};
  const first = Math.floor(random() * NAMES.length);
  for (let i = 0; i < count; i++) properties[NAMES[(first + i) % NAMES.length]] = value(random, depth + 1);
  const required = Object.keys(properties).filter(() => random() < 0.7);
  return {
    type: "object",
    properties,
    ...required.length > 0 ? { required } : {},
    ...random() < 0.7 ? { additionalProperties: false } : {},
  };
}

function value(random: () => number, depth: number): Schema {
  const kind = random();
  if (kind < 0.12 && depth < 4) return object(random, depth);
  if (kind < 0.25 && depth < 4) {
    const items = value(random, depth + 1);
    return {
      type: "array",
      items,
      ...random() < 0.4 ? { minItems: 1, maxItems: 1 + Math.floor(random() * 8) } : {},
    };
  }
  if (kind < 0.33) {
    return { enum: ["red", "green", "blue", "none"].slice(0, 2 + Math.floor(random() * 3)) };
  }
  if (kind < 0.45) {
    return {
      type: "integer",
      ...random() < 0.5 ? { minimum: 0, maximum: Math.floor(random() * 1e4) } : {},
    };
  }
  if (kind < 0.52) return { type: "number", ...random() < 0.3 ? { minimum: 0 } : {} };
  if (kind < 0.58) return { type: "boolean" };
  if (kind < 0.64) return { anyOf: [value(random, depth + 1), { type: "null" }] };
  if (kind < 0.7) return { type: "string", pattern: pick(random, PATTERNS) };
  if (kind < 0.78) return { type: "string", format: pick(random, FORMATS) };
  if (kind < 0.86) return { type: "string", minLength: 1, maxLength: 10 + Math.floor(random() * 200) };
  return { type: "string" };
}
