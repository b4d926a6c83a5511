import type { Field, Fields, UnsupportedField } from "./field.ts";

/** A field as JSON Schema, draft 2020-12, as OpenAPI 3.1 has it. */
export function jsonSchema(field: Field): Record<string, unknown> {
  const schema = kindSchema(field);
  if (field.help !== undefined) schema.description = field.help;
  if (field.fallback !== undefined) schema.default = field.fallback;
  return schema;
}

/** An object with these fields and no others. */
export function objectSchema(fields: Fields): Record<string, unknown> {
  const names = Object.entries(fields);
  const required = names.filter(([, field]) => field.required).map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(names.map(([name, field]) => [name, jsonSchema(field)])),
    ...required.length > 0 ? { required } : {},
    additionalProperties: false,
  };
}

function kindSchema(field: Field): Record<string, unknown> {
  switch (field.type) {
    case "number":
    case "integer":
      return { type: field.type, minimum: field.min, maximum: field.max };
    case "string":
      return {
        type: "string",
        ...field.min === undefined ? {} : { minLength: field.min },
        maxLength: field.max,
        ...field.values === undefined ? {} : { enum: [...field.values] },
      };
    case "boolean":
      return { type: "boolean" };
    case "constant":
      return { enum: [...field.values] };
    case "list":
      return { type: "array", items: jsonSchema(field.of), minItems: field.min, maxItems: field.max };
    case "object":
      return objectSchema(field.fields);
    case "record":
      return { type: "object", additionalProperties: jsonSchema(field.of), maxProperties: field.max };
    case "any":
      return {};
    case "unsupported":
      return unsupportedSchema(field);
    case "choice":
      return { anyOf: field.of.map(jsonSchema) };
  }
}

/** What is taken of a field that asks for something that is not there. */
function unsupportedSchema({ what, values = [], empty }: UnsupportedField): Record<string, unknown> {
  const taken = [
    { enum: [null, ...values, ...empty ? [""] : []] },
    ...empty ? [{ type: "array", maxItems: 0 }, { type: "object", maxProperties: 0 }] : [],
  ];
  return { ...taken.length === 1 ? taken[0] : { anyOf: taken }, description: what };
}
