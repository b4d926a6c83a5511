import { jsonSchema } from "../schema/json_schema.ts";
import { COMMON_ERRORS, type Documented, STATUSES } from "./endpoints.ts";

const ERROR_SCHEMA = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"], description: "The field or header that is wrong." },
        code: { type: ["string", "null"] },
      },
    },
  },
};

/** The interface as an OpenAPI 3.1 document. */
export function openApi(endpoints: readonly Documented[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "kumi",
      version: "1",
      description: "A large language model on CPUs, for OpenAI's clients.",
    },
    paths,
    components: {
      schemas: { Error: ERROR_SCHEMA },
      securitySchemes: {
        key: { type: "http", scheme: "bearer" },
        keyHeader: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
    security: [{ key: [] }, { keyHeader: [] }, {}],
  };
}

function operation(endpoint: Documented): Record<string, unknown> {
  const {
    method,
    path,
    summary,
    isPublic,
    body,
    example,
    answer,
    streams,
    errorStatuses,
    errors,
    answerType,
  } = endpoint;
  // A dialect with errors of its own says what they look like in its own documents.
  const schema = errors === undefined ? { $ref: "#/components/schemas/Error" } : { type: "object" };
  const error = { "application/json": { schema } };
  const statuses = [...COMMON_ERRORS, ...errorStatuses].toSorted((a, b) => a - b);
  return {
    operationId: operationId(method, path),
    summary,
    ...isPublic ? { security: [{}] } : {},
    ...path.includes("{id}")
      ? { parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }] }
      : {},
    ...body === undefined ? {} : {
      requestBody: {
        required: true,
        content: { "application/json": { schema: jsonSchema(body), example } },
      },
    },
    responses: {
      200: {
        description: answer,
        content: {
          [answerType ?? "application/json"]: {},
          ...streams ? { [streams === true ? "text/event-stream" : streams]: {} } : {},
        },
      },
      ...Object.fromEntries(
        statuses.map((status) => [status, { description: STATUSES[status], content: error }]),
      ),
    },
  };
}

function operationId(method: string, path: string): string {
  const words = path.split(/[^a-z0-9]+/i).filter((word) => word !== "");
  return [method.toLowerCase(), ...words.length === 0 ? ["root"] : words].join("_");
}
