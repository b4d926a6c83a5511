import { jsonSchema } from "../schema/json_schema.ts";
import { objectOf } from "../schema/of_option.ts";
import { SETTINGS } from "./settings.ts";

/** The JSON schema of a configuration file. */
export function configSchema(): Record<string, unknown> {
  const fields = Object.entries(SETTINGS).map(([name, { kind, fallback, help }]) =>
    [name, { kind, fallback, doc: help }] as const
  );
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...jsonSchema(objectOf(Object.fromEntries(fields))),
  };
}
