import { assertEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import { checkValue, issuesText, type StandardSchema, toJsonSchema } from "./schema.ts";

const json = (schema: StandardSchema) => {
  const { $schema: _, ...rest } = toJsonSchema("schema", schema) as Record<string, unknown>;
  return rest;
};

Deno.test("toJsonSchema() closes the objects of libraries, but for those that say otherwise", () => {
  const inner = z.object({ a: z.string().optional() });
  assertEquals(json(z.object({ list: z.array(inner), free: z.looseObject({}) })), {
    type: "object",
    properties: {
      list: {
        type: "array",
        items: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
      },
      free: { type: "object", properties: {}, additionalProperties: {} },
    },
    required: ["list", "free"],
    additionalProperties: false,
  });
  // Names of members are no keywords, and values are no schemas.
  assertEquals(json(z.object({ properties: z.literal("properties"), default: inner.default({ a: "b" }) })), {
    type: "object",
    properties: {
      properties: { type: "string", const: "properties" },
      default: {
        default: { a: "b" },
        type: "object",
        properties: { a: { type: "string" } },
        additionalProperties: false,
      },
    },
    required: ["properties"],
    additionalProperties: false,
  });
  // A part must not refuse what another one declares.
  const parts = [{ properties: { a: {} } }, { properties: { b: {} } }];
  const validate = (value: unknown) => ({ value });
  const both = {
    "~standard": {
      version: 1 as const,
      vendor: "other",
      validate,
      jsonSchema: { input: () => ({ allOf: parts }) },
    },
  };
  assertEquals(json(both), { allOf: parts });
});

Deno.test("toJsonSchema() gives plain JSON Schema as it is", () => {
  const schema = { type: "object", properties: { a: { type: "string" } } };
  assertEquals(toJsonSchema("schema", schema), schema);
});

Deno.test("toJsonSchema() asks libraries in each way that they know", () => {
  const standard = { version: 1 as const, vendor: "other", validate: (value: unknown) => ({ value }) };
  const own = { "~standard": standard, toJsonSchema: () => ({ type: "string" }) };
  assertEquals(json(own), { type: "string" });
  // ArkType's are functions.
  const callable = Object.assign(() => {}, {
    "~standard": { ...standard, jsonSchema: { input: () => ({ type: "null" }) } },
  });
  assertEquals(json(callable), { type: "null" });
});

Deno.test("toJsonSchema() says what is wrong with a schema", () => {
  assertThrows(() => toJsonSchema("schema", 3 as never), TypeError, "schema must be a Standard Schema");
  assertThrows(() => toJsonSchema("schema", [] as never), TypeError, "a list of 0");
  assertThrows(
    () => toJsonSchema("schema", z.object({ at: z.date() })),
    TypeError,
    "schema is no JSON Schema, says zod: Date",
  );
  const old = {
    "~standard": { version: 1 as const, vendor: "old", validate: (value: unknown) => ({ value }) },
  };
  assertThrows(
    () => toJsonSchema("schema", old),
    TypeError,
    "schema is a schema of old that does not say its JSON Schema",
  );
});

Deno.test("checkValue() gives what the schema makes of a value, and issues with their places", async () => {
  const schema = z.object({
    a: z.string().transform((text) => text.length),
    b: z.array(z.number()).default([1]),
  });
  assertEquals(await checkValue(schema, { a: "xyz" }), { value: { a: 3, b: [1] } });
  const { issues } = await checkValue(schema, { a: "x", b: [1, "2"] });
  assertEquals(issuesText(issues!).replace(/:.*/, ""), "b.1");
  assertEquals(await checkValue({ type: "string" }, 3), { value: 3 });
});
