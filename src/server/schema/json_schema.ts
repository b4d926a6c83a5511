import * as z from "zod";
import { type ObjectSchema, RECORDS, UNSUPPORTED, type Unsupported } from "./fields.ts";

/**
 * A schema as JSON Schema, draft 2020-12, as OpenAPI 3.1 has it. That null says nothing everywhere is not
 * repeated everywhere.
 */
export function jsonSchema(schema: ObjectSchema): Record<string, unknown> {
  const { $schema: _, ...document } = z.toJSONSchema(schema, {
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema instanceof z.ZodNullable) {
        const inner = jsonSchema.anyOf?.[0] as object;
        delete jsonSchema.anyOf;
        Object.assign(jsonSchema, inner);
      }
      if (zodSchema instanceof z.ZodObject) jsonSchema.additionalProperties = false;
      const record = RECORDS.get(zodSchema);
      if (record !== undefined) jsonSchema.maxProperties = record.max;
      const unsupported = UNSUPPORTED.get(zodSchema);
      if (unsupported !== undefined) Object.assign(jsonSchema, takenOf(unsupported));
    },
  });
  return document;
}

/** What is taken of a field that asks for something that is not there. */
function takenOf({ what, values, empty }: Unsupported): Record<string, unknown> {
  const taken = [
    { enum: [null, ...values, ...empty ? [""] : []] },
    ...empty ? [{ type: "array", maxItems: 0 }, { type: "object", maxProperties: 0 }] : [],
  ];
  return { ...taken.length === 1 ? taken[0] : { anyOf: taken }, description: what };
}
