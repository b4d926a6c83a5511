/** Ajv, a validator of JSON Schema that shares nothing with ours: what a grammar says of values is compared with it. @module */

import { npmModules } from "./npm.ts";

/** Whether a value fits a schema. */
export type Validate = (value: unknown) => boolean;

/** Makes validators; null where npm cannot be reached. */
export async function loadAjv(): Promise<((schema: unknown) => Validate) | null> {
  const modules = await npmModules("ajv@8.17.1", "ajv@8.17.1/dist/2020.js", "ajv-formats@3.0.1");
  if (modules === null) return null;
  const [draft7, draft2020, formats] = modules.map(({ default: main }) => main.default ?? main);
  const options = {
    strict: false,
    logger: false,
    allErrors: false,
    validateSchema: false,
    multipleOfPrecision: 9,
  };
  const create = (Ajv: new (options: unknown) => { compile(schema: unknown): Validate }) => {
    const ajv = new Ajv(options);
    formats(ajv);
    return ajv;
  };
  let made = 0;
  let [older, newer] = [create(draft7), create(draft2020)];
  return (schema) => {
    // Ajv keeps what it has compiled, and its names.
    if (++made % 500 === 0 || JSON.stringify(schema).includes('"$id"')) {
      [older, newer] = [create(draft7), create(draft2020)];
    }
    const declared = typeof schema === "object" && schema !== null && "$schema" in schema
      ? String(schema.$schema)
      : "";
    return (/draft-07/.test(declared) ? older : newer).compile(schema);
  };
}
