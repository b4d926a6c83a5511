/** What there is to ask for: the source of /openapi.json and /docs. @module */

import { MODEL_BODY } from "./admin_fields.ts";
import { BATCH_BODY } from "../batches/fields.ts";
import type { Dialect, Endpoint } from "../dialects/dialect.ts";

/** What the documents say of an endpoint. */
export interface Documented extends
  Pick<
    Dialect,
    "summary" | "answer" | "body" | "example" | "streams" | "errorStatuses" | "errors"
  > {
  readonly method: Endpoint["method"];
  readonly path: string;
  readonly isPublic?: true;
  /** Content type of what is no JSON. */
  readonly answerType?: string;
}

/** All that there is to ask for: what dialects say of themselves, and the rest. */
export async function documentsOf(endpoints: readonly Endpoint[]): Promise<Documented[]> {
  const spoken = endpoints.map(async ({ method, path, load }) => ({ ...await load(), method, path }));
  return [...await Promise.all(spoken), ...OTHERS];
}

const OF_BATCHES: readonly Documented[] = [
  {
    method: "POST",
    path: "/v1/files",
    summary: "Keep a file of requests, sent as the form's field file; purpose must be batch",
    answer: "The file",
    errorStatuses: [404, 408, 415, 429, 507],
  },
  {
    method: "GET",
    path: "/v1/files",
    summary: "The key's files; also with purpose, order, after and limit",
    answer: "A list of files, newest first",
    errorStatuses: [404],
  },
  { method: "GET", path: "/v1/files/{id}", summary: "A file", answer: "The file", errorStatuses: [404] },
  {
    method: "GET",
    path: "/v1/files/{id}/content",
    summary: "What a file holds",
    answer: "Its bytes",
    errorStatuses: [404],
  },
  {
    method: "DELETE",
    path: "/v1/files/{id}",
    summary: "Remove a file",
    answer: "An object with deleted",
    errorStatuses: [404],
  },
  {
    method: "POST",
    path: "/v1/batches",
    summary: "Have the requests of a file done when there is time, in the latency class batch",
    answer: "The batch",
    body: BATCH_BODY,
    example: { input_file_id: "file-…", endpoint: "/v1/chat/completions", completion_window: "24h" },
    errorStatuses: [404, 408, 413, 415],
  },
  {
    method: "GET",
    path: "/v1/batches",
    summary: "The key's batches; also with after and limit",
    answer: "A list of batches, newest first",
    errorStatuses: [404],
  },
  {
    method: "GET",
    path: "/v1/batches/{id}",
    summary: "How far a batch is",
    answer: "The batch; output_file_id and error_file_id once it has ended",
    errorStatuses: [404],
  },
  {
    method: "POST",
    path: "/v1/batches/{id}/cancel",
    summary: "End a batch with the answers that it has",
    answer: "The batch",
    errorStatuses: [404],
  },
];

const OTHERS: readonly Documented[] = [
  ...OF_BATCHES,
  {
    method: "GET",
    path: "/v1/models",
    summary: "What is served",
    answer: "A list with the model",
    errorStatuses: [503],
  },
  {
    method: "GET",
    path: "/v1/models/{id}",
    summary: "One model by name",
    answer: "The model; its field kumi has sizes, context length and latency classes",
    errorStatuses: [404, 503],
  },
  {
    method: "POST",
    path: "/admin/load",
    summary: "Load a model, and wait until it is there; with keys, an administrator's is needed",
    answer: "Its name and state",
    body: MODEL_BODY,
    example: { model: "large" },
    errorStatuses: [404, 408, 413, 415, 503],
  },
  {
    method: "POST",
    path: "/admin/unload",
    summary: "Let a model leave memory once its requests have ended; with keys, an administrator's is needed",
    answer: "Its name and state",
    body: MODEL_BODY,
    example: { model: "large" },
    errorStatuses: [404, 408, 413, 415],
  },
  ...[
    ["drain", "Take no new requests until resume, and be not ready; what is under way goes on"],
    ["resume", "Take requests again"],
    ["reload", "Read keys and settings again"],
    ["shutdown", "End as after SIGTERM"],
  ].map(([name, what]): Documented => ({
    method: "POST",
    path: `/admin/${name}`,
    summary: `${what}; an administrator's key is needed`,
    answer: name === "reload"
      ? "Names of settings that changed, and of those that wait for a new start"
      : "The state",
    errorStatuses: [],
  })),
  {
    method: "GET",
    path: "/v1/usage",
    summary: "What the key has used, an administrator's: what all have, by day, key, model and class",
    answer: "CSV",
    answerType: "text/csv",
    errorStatuses: [],
  },
  {
    method: "GET",
    path: "/livez",
    summary: "Whether the process answers",
    isPublic: true,
    answer: "200",
    errorStatuses: [],
  },
  {
    method: "GET",
    path: "/readyz",
    summary:
      "Whether requests are taken: model loaded, workers alive, a test request answered right, not draining",
    isPublic: true,
    answer: "200, or 503 with the state and how far loading has come",
    errorStatuses: [503],
  },
  {
    method: "GET",
    path: "/health",
    summary: "As /readyz, in the words of other servers",
    isPublic: true,
    answer: '{"status":"ok"}, or 503 as /readyz',
    errorStatuses: [503],
  },
  {
    method: "GET",
    path: "/",
    summary: "What this is",
    isPublic: true,
    answer: "A JSON object with paths",
    errorStatuses: [],
  },
  {
    method: "GET",
    path: "/openapi.json",
    summary: "This interface as OpenAPI 3.1",
    answer: "The document",
    errorStatuses: [],
  },
  {
    method: "GET",
    path: "/docs",
    summary: "This interface as a page",
    answerType: "text/html",
    answer: "HTML that loads nothing else",
    errorStatuses: [],
  },
];

/** What error statuses mean. */
export const STATUSES: Readonly<Record<number, string>> = {
  400: "A field is wrong or unknown, the prompt does not fit into the context, or the deadline cannot be met",
  401: "An API key is missing or unknown",
  403: "The Host or Origin header is not allowed, or the key may not use this model or class",
  404: "No such path or model",
  405: "Another method is needed; Allow names it",
  408: "The body did not arrive in time, or the client did not read its stream",
  413: "The body is too large",
  415: "The body is not uncompressed JSON",
  429:
    "The queue is full, the answer would come too late, or the key has used its limit; Retry-After says when to try again",
  431: "The headers are too large",
  500: "A fault of the server",
  503:
    "The model is loading, the engine is gone, or the server is shutting down; Retry-After says when to try again",
  507: "The server's disk is full",
  529: "As 503, in the words of Anthropic's interface",
};

/** Statuses that any path can have. */
export const COMMON_ERRORS = [400, 401, 403, 405, 431, 500];
