/**
 * Schemas that programs hand over: of zod, and of every other library whose schemas say their JSON Schema by the Standard
 * Schema and Standard JSON Schema interfaces (https://standardschema.dev), or plain JSON Schema.
 * @module
 */

import { wrongType } from "../../protocol/arguments.ts";

/** What of a Standard Schema is used here. `Output`: the type of a checked value. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    /** The library that it is of. */
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Never there: it carries the types. */
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
  };
}

/** What a Standard Schema says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** Why a value does not fit. */
export interface SchemaIssue {
  readonly message: string;
  /** Where in the value; undefined: all of it. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A JSON Schema as a plain object, of draft 7 or 2020-12. */
export interface JsonSchema {
  readonly "~standard"?: undefined;
  readonly [keyword: string]: unknown;
}

/** A schema of a library, or plain JSON Schema. */
export type AnySchema = StandardSchema | JsonSchema;

/** The type of what fits a schema; `any` for plain JSON Schema, of which no type follows. */
// deno-lint-ignore no-explicit-any
export type SchemaOutput<S> = S extends StandardSchema<infer Output> ? Output : any;

/** What some libraries' schemas have beside, or before they had, Standard JSON Schema. */
interface OwnJsonSchema {
  toJSONSchema?: (options: { io: "input" }) => unknown;
  toJsonSchema?: () => unknown;
}

function isStandard(schema: unknown): schema is StandardSchema & OwnJsonSchema {
  // ArkType's schemas are functions.
  return (typeof schema === "object" || typeof schema === "function") && schema !== null &&
    "~standard" in schema && schema["~standard"] !== undefined;
}

/**
 * The JSON Schema of what a model has to write so that a schema takes it. `label`: how messages call the schema. Throws a TypeError
 * where there is none, or where the library cannot express it.
 */
export function toJsonSchema(label: string, schema: AnySchema): unknown {
  if (!isStandard(schema)) {
    if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return schema;
    throw wrongType(label, "a Standard Schema, such as zod's, or a JSON Schema", schema);
  }
  const { vendor, jsonSchema } = schema["~standard"];
  try {
    // The input's: a default's value or a transformed text is what the schema makes of it.
    if (jsonSchema !== undefined) return closed(jsonSchema.input({ target: "draft-2020-12" }));
    if (schema.toJSONSchema !== undefined) return closed(schema.toJSONSchema({ io: "input" }));
    if (schema.toJsonSchema !== undefined) return closed(schema.toJsonSchema());
  } catch (error) {
    throw new TypeError(
      `${label} is no JSON Schema, says ${vendor}: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
  throw new TypeError(
    `${label} is a schema of ${vendor} that does not say its JSON Schema ("~standard".jsonSchema): use a newer version ` +
      "(zod 4.2, ArkType 2.1.28), wrap it (Valibot's toStandardJsonSchema), or give a JSON Schema",
  );
}

/**
 * The schema with its objects closed where it does not say whether they are: libraries drop members that they do not know, so a
 * model need not write any. In `allOf` a part must leave room for what the others declare.
 */
function closed(schema: unknown, isPart = false): unknown {
  if (Array.isArray(schema)) return schema.map((each) => closed(each, isPart));
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (["properties", "$defs", "definitions", "patternProperties"].includes(keyword)) {
      return [keyword, closedMembers(value)];
    }
    const isData = ["const", "enum", "default", "examples"].includes(keyword);
    return [keyword, isData ? value : closed(value, keyword === "allOf")];
  });
  const isOpen = !isPart && "properties" in schema && !("additionalProperties" in schema) &&
    !("patternProperties" in schema) && !("allOf" in schema);
  return Object.fromEntries(isOpen ? [...entries, ["additionalProperties", false]] : entries);
}

function closedMembers(members: unknown): unknown {
  if (typeof members !== "object" || members === null) return members;
  return Object.fromEntries(Object.entries(members).map(([name, schema]) => [name, closed(schema)]));
}

/** A value as its schema gives it back, or why it does not fit. Plain JSON Schema was kept to as the value was written. */
export async function checkValue(schema: AnySchema, value: unknown): Promise<StandardResult<unknown>> {
  return isStandard(schema) ? await schema["~standard"].validate(value) : { value };
}

/** What does not fit, in a line: `age: Too small; tags.0: Required`. */
export function issuesText(issues: readonly SchemaIssue[]): string {
  return issues.map(({ message, path = [] }) => {
    const place = path.map((each) => String(typeof each === "object" ? each.key : each)).join(".");
    return place === "" ? message : `${place}: ${message}`;
  }).join("; ");
}
