/** A line of the answers to many requests, as OpenAI's Batch API writes it. @module */

import type { FileProblem } from "./request_file.ts";

/** What a request was answered. */
export interface BulkResponse {
  readonly status_code: number;
  readonly request_id: string;
  readonly body: unknown;
}

/** Why there is no response. */
export interface BulkError {
  readonly code: string;
  readonly message: string;
  readonly param?: string | null;
  /** Of the requests' file, where the line itself is wrong. */
  readonly line?: number;
}

/** A line: either `response` or `error` is set. */
export interface AnswerLine {
  readonly id: string;
  readonly custom_id: string | null;
  readonly response: BulkResponse | null;
  readonly error: BulkError | null;
}

const OK = 200;
const ID = "batch_req_";
/** How every line begins that was written here. */
export const LINE_BEGINNING = `{"id":"${ID}`;

/** The line of a response. */
export function responseLine(customId: string, response: BulkResponse): AnswerLine {
  return { id: ID + response.request_id, custom_id: customId, response, error: null };
}

/** The line of a request that has no response; `id` makes it unlike others. */
export function errorLine(id: string, customId: string | null, error: BulkError): AnswerLine {
  return { id: ID + id, custom_id: customId, response: null, error };
}

/** The line of a line that is no request. */
export function problemLine(id: string, { line, customId, code, message, param }: FileProblem): AnswerLine {
  return errorLine(id, customId, { code, message: `Line ${line}: ${message}`, param, line });
}

/** Whether a line is an answer, and no error. */
export function isAnswered({ response }: AnswerLine): boolean {
  return response !== null && response.status_code === OK;
}

/** The line that a text is; null where it is none. */
export function parseAnswerLine(text: string): AnswerLine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { custom_id: id, response, error } = value as Partial<AnswerLine>;
  const isNamed = typeof id === "string" || id === null;
  const hasOne =
    (typeof response === "object" && response !== null && typeof response.status_code === "number") ||
    (typeof error === "object" && error !== null);
  return isNamed && hasOne ? value as AnswerLine : null;
}
