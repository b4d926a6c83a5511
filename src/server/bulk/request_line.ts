/** A line of OpenAI's Batch API: one request among many. @module */

import { ApiError } from "../api_error.ts";
import { parseJson } from "../guard/json_body.ts";
import { anything, object, text, word } from "../schema/fields.ts";
import { readFields } from "../schema/read.ts";

/** Where the requests of lines may go. */
export const BULK_PATHS = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/responses",
] as const;

export type BulkPath = typeof BULK_PATHS[number];

const CUSTOM_ID_MAX = 512;

const LINE = object({
  custom_id: text(CUSTOM_ID_MAX, { min: 1 }),
  method: word(["POST"]),
  url: word(BULK_PATHS),
  body: anything(),
}, {});

/** What a line asks. */
export interface RequestLine {
  /** The caller's name for it. */
  readonly customId: string;
  readonly path: BulkPath;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What is wrong with a line. */
export interface LineProblem {
  /** The caller's name for it, where it could be read. */
  readonly customId: string | null;
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

/** The request of a line, or what is wrong with it. */
export function readRequestLine(bytes: Uint8Array): RequestLine | LineProblem {
  let value: unknown;
  try {
    value = parseJson(bytes);
    const { custom_id: customId, url: path, body } = readFields(LINE, value);
    if (typeof body !== "object" || body === null || Array.isArray(body)) {
      return { customId, code: "invalid_value", message: '"body" must be an object', param: "body" };
    }
    return { customId, path, body: body as RequestLine["body"] };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { code = "invalid_value", message, param = null } = error;
    return { customId: nameIn(value), code, message: message.replace(/^The body\b/, "The line"), param };
  }
}

/** Whether a line is none. */
export function isProblem(read: RequestLine | LineProblem): read is LineProblem {
  return "message" in read;
}

function nameIn(value: unknown): string | null {
  const { custom_id: name } = (value ?? {}) as { custom_id?: unknown };
  return typeof name === "string" && name !== "" && name.length <= CUSTOM_ID_MAX ? name : null;
}
