/** Schemas that ask for as much time and memory as they can. @module */

/** A schema made when it is wanted: some are large. */
export interface HostileSchema {
  readonly name: string;
  make(): unknown;
}

function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let schema: unknown = { type: "string" };
  for (let i = 0; i < depth; i++) schema = wrap(schema);
  return schema;
}

/** `count` definitions, each with what leads to the next one twice. */
function doubling(count: number, each: (next: unknown) => unknown): unknown {
  const $defs: Record<string, unknown> = {};
  for (let i = 0; i < count; i++) {
    $defs[`d${i}`] = each(i + 1 < count ? { $ref: `#/$defs/d${i + 1}` } : { type: "integer" });
  }
  return { $ref: "#/$defs/d0", $defs };
}

let made = 0;

export const HOSTILE_SCHEMAS: readonly HostileSchema[] = [
  { name: "objects 2,000 deep", make: () => nested(2000, (a) => ({ type: "object", properties: { a } })) },
  { name: "arrays 60,000 deep", make: () => nested(60_000, (items) => ({ type: "array", items })) },
  { name: "100,000 deep, anyOf", make: () => nested(100_000, (inner) => ({ anyOf: [inner] })) },
  {
    name: "a million nodes",
    make: () => ({
      type: "object",
      properties: Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`p${i}`, {
          anyOf: Array.from({ length: 1000 }, (_, j) => ({ type: "integer", minimum: i * j })),
        }]),
      ),
    }),
  },
  {
    name: "references that double, 40 deep",
    make: () => doubling(40, (a) => ({ type: "object", properties: { a, b: a }, required: ["a", "b"] })),
  },
  { name: "allOf that doubles, 30 deep", make: () => doubling(30, (a) => ({ allOf: [a, a] })) },
  {
    name: "anyOf in allOf, 3 to the 12th",
    make: () => ({
      allOf: Array.from({ length: 12 }, (_, i) => ({
        anyOf: [0, 1, 2].map((j) => ({ type: "object", properties: { [`p${i}`]: { const: j } } })),
      })),
    }),
  },
  { name: "pattern (a|b)*a(a|b){25}", make: () => ({ type: "string", pattern: "^(a|b)*a(a|b){25}$" }) },
  {
    name: "pattern ((a{1,99}){1,99}){1,99}",
    make: () => ({ type: "string", pattern: "((a{1,99}){1,99}){1,99}" }),
  },
  { name: "pattern of 60,000 brackets", make: () => ({ type: "string", pattern: "(".repeat(60_000) }) },
  {
    name: "pattern of 30,000 pairs of brackets",
    make: () => ({ type: "string", pattern: "(".repeat(30_000) + "a" + ")".repeat(30_000) }),
  },
  {
    name: "pattern of 100,000 characters",
    make: () => ({ type: "string", pattern: "[a-z]x?".repeat(14_000) }),
  },
  {
    name: "maxLength 2^30 with a pattern",
    make: () => ({ type: "string", pattern: "a", maxLength: 2 ** 30 }),
  },
  { name: "minItems 10^9", make: () => ({ type: "array", items: { type: "null" }, minItems: 1e9 }) },
  {
    name: "items 100,000 times 1,000",
    make: () => nested(3, (items) => ({ type: "array", items, minItems: 1000 })),
  },
  { name: "multipleOf 1e-30", make: () => ({ type: "number", multipleOf: 1e-30 }) },
  { name: "bounds of 300 digits", make: () => ({ type: "number", minimum: -1e300, maximum: 1e300 }) },
  {
    name: "100,000 strings in enum",
    make: () => ({ enum: Array.from({ length: 100_000 }, (_, i) => `${i} of them`) }),
  },
  {
    name: "12 patterns of names",
    make: () => ({
      type: "object",
      patternProperties: Object.fromEntries(
        Array.from({ length: 12 }, (_, i) => [`${i}.*${i}`, { type: "null" }]),
      ),
    }),
  },
  {
    name: "a schema that was never seen",
    make: () => ({ type: "object", properties: { [`unique_${made++}`]: { type: "string" } } }),
  },
];
