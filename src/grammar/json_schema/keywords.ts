/** Which keywords there are, and what their values must be. @module */

import { GrammarError } from "../error.ts";
import { escapePointer, isObject, type Node, type SchemaObject, shown } from "./document.ts";

/** They tell readers something and change nothing. */
const ANNOTATIONS = new Set([
  "$anchor",
  "$comment",
  "$defs",
  "$dynamicAnchor",
  "$id",
  "$schema",
  "$vocabulary",
  "contentEncoding",
  "contentMediaType",
  "contentSchema",
  "default",
  "definitions",
  "deprecated",
  "description",
  "discriminator",
  "else",
  "example",
  "examples",
  "externalDocs",
  "id",
  "readOnly",
  "then",
  "title",
  "writeOnly",
  "xml",
]);

const isCount = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isSchema = (value: unknown) => typeof value === "boolean" || isObject(value);
const isSchemas = (value: unknown) => isObject(value) && Object.values(value).every(isSchema);
const isList = (value: unknown) => Array.isArray(value) && value.every(isSchema);
const isNames = (value: unknown) => Array.isArray(value) && value.every((name) => typeof name === "string");
const TYPES = ["null", "boolean", "object", "array", "string", "integer", "number"];
const isType = (value: unknown) => typeof value === "string" && TYPES.includes(value);

type Check = readonly [(value: unknown) => boolean, string];
const COUNT: Check = [isCount, "a whole number from 0"];
const NUMBER: Check = [isNumber, "a number"];
const SCHEMA: Check = [isSchema, "a schema"];
const SCHEMAS: Check = [isSchemas, "an object of schemas"];
const LIST: Check = [isList, "a list of schemas"];
const STRING: Check = [(value) => typeof value === "string", "a string"];

/** Those that are understood. */
const KNOWN: Readonly<Record<string, Check>> = {
  $ref: STRING,
  additionalItems: SCHEMA,
  additionalProperties: SCHEMA,
  allOf: LIST,
  anyOf: LIST,
  const: [() => true, ""],
  dependencies: [isObject, "an object"],
  dependentRequired: [(value) => isObject(value) && Object.values(value).every(isNames), "lists of names"],
  dependentSchemas: SCHEMAS,
  enum: [Array.isArray, "a list"],
  exclusiveMaximum: [(value) => isNumber(value) || typeof value === "boolean", "a number"],
  exclusiveMinimum: [(value) => isNumber(value) || typeof value === "boolean", "a number"],
  format: STRING,
  items: [(value) => isSchema(value) || isList(value), "a schema"],
  maxItems: COUNT,
  maxLength: COUNT,
  maxProperties: COUNT,
  maximum: NUMBER,
  minItems: COUNT,
  minLength: COUNT,
  minProperties: COUNT,
  minimum: NUMBER,
  multipleOf: [(value) => isNumber(value) && (value as number) > 0, "a number above 0"],
  not: SCHEMA,
  nullable: [(value) => typeof value === "boolean", "true or false"],
  oneOf: LIST,
  pattern: STRING,
  patternProperties: SCHEMAS,
  prefixItems: LIST,
  properties: SCHEMAS,
  propertyNames: SCHEMA,
  required: [isNames, "a list of names"],
  type: [
    (value) => isType(value) || Array.isArray(value) && value.every(isType),
    `one of ${TYPES.join(", ")}`,
  ],
  uniqueItems: [(value) => typeof value === "boolean", "true or false"],
};

/** Keywords that are not supported, but ask for nothing with these values. */
const NEUTRAL: Readonly<Record<string, (schema: SchemaObject) => boolean>> = {
  contains: () => false,
  if: ({ then, else: otherwise }) => then === undefined && otherwise === undefined,
  maxContains: ({ contains }) => contains === undefined,
  minContains: ({ contains }) => contains === undefined,
  unevaluatedItems: ({ unevaluatedItems }) => unevaluatedItems === true,
  unevaluatedProperties: ({ unevaluatedProperties }) => unevaluatedProperties === true,
  $dynamicRef: () => false,
  $recursiveRef: () => false,
  $recursiveAnchor: () => false,
};

/** Refuses, by name and place, what is wrong and what is not understood. */
export function checkKeywords(node: Node, refStandsAlone: boolean): void {
  const schema = node.schema as SchemaObject;
  const keywords = refStandsAlone && "$ref" in schema ? ["$ref"] : Object.keys(schema);
  for (const keyword of keywords) {
    const path = `${node.path}/${escapePointer(keyword)}`;
    if (Object.hasOwn(KNOWN, keyword)) {
      const [holds, what] = KNOWN[keyword];
      if (!holds(schema[keyword])) {
        throw new GrammarError(
          `${keyword} must be ${what}, current value is ${shown(schema[keyword])}`,
          path,
        );
      }
    } else if (Object.hasOwn(NEUTRAL, keyword)) {
      if (!NEUTRAL[keyword](schema)) throw new GrammarError(`The keyword ${keyword} is not supported`, path);
    } else if (!ANNOTATIONS.has(keyword) && !keyword.startsWith("x-")) {
      throw new GrammarError(`The keyword ${shown(keyword)} is not known`, path);
    }
  }
}
