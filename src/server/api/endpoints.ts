/** What there is to ask for: the source of /openapi.json and /docs. @module */

import type { Fields } from "./field.ts";
import {
  CHAT_FIELDS,
  DETOKENIZE_FIELDS,
  EMBEDDING_FIELDS,
  TEXT_FIELDS,
  TOKENIZE_FIELDS,
} from "./requests.ts";

export interface Endpoint {
  readonly method: "get" | "post";
  readonly path: string;
  readonly summary: string;
  readonly isPublic?: true;
  readonly body?: Fields;
  /** The smallest body that makes sense. */
  readonly example?: unknown;
  /** What comes back, in words. */
  readonly answer: string;
  /** Whether the answer can be a stream of events. */
  readonly streams?: true;
  /** Statuses of errors that it can have beside those that all have. */
  readonly errors?: readonly number[];
}

const GENERATION_ERRORS = [408, 413, 415, 429, 503];

export const ENDPOINTS: readonly Endpoint[] = [
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Answer a conversation, written in the model's own chat template",
    body: CHAT_FIELDS,
    example: { messages: [{ role: "user", content: "What is a KV cache?" }], max_tokens: 64 },
    answer: "A chat.completion; with stream: true chat.completion.chunk events and [DONE]",
    streams: true,
    errors: GENERATION_ERRORS,
  },
  {
    method: "post",
    path: "/v1/completions",
    summary: "Continue texts, or lists of tokens, without a chat template",
    body: TEXT_FIELDS,
    example: { prompt: "Once upon a time", max_tokens: 64 },
    answer: "A text_completion; with stream: true events of such objects and [DONE]",
    streams: true,
    errors: GENERATION_ERRORS,
  },
  {
    method: "post",
    path: "/v1/embeddings",
    summary: "Turn texts, or lists of tokens, into vectors of length 1",
    body: EMBEDDING_FIELDS,
    example: { input: ["A first text", "A second one"] },
    answer: "A list with an embedding for each text, in their order",
    errors: GENERATION_ERRORS,
  },
  {
    method: "get",
    path: "/v1/models",
    summary: "The model that is served",
    answer: "A list with one model",
    errors: [503],
  },
  {
    method: "get",
    path: "/v1/models/{id}",
    summary: "One model by name",
    answer: "The model; its field kumi has sizes, context length and latency classes",
    errors: [404, 503],
  },
  {
    method: "post",
    path: "/tokenize",
    summary: "Token ids of a text",
    body: TOKENIZE_FIELDS,
    example: { content: "Hello" },
    answer: "An object with tokens and their count",
    errors: GENERATION_ERRORS,
  },
  {
    method: "post",
    path: "/detokenize",
    summary: "The text of tokens",
    body: DETOKENIZE_FIELDS,
    example: { tokens: [1, 2, 3] },
    answer: "An object with the text as content",
    errors: GENERATION_ERRORS,
  },
  {
    method: "get",
    path: "/tokenizer_info",
    summary: "Names of the tokens that begin and end a text, for clients that count tokens here",
    answer: "An object with bos_token and eos_token",
    errors: [503],
  },
  { method: "get", path: "/livez", summary: "Whether the process answers", isPublic: true, answer: "200" },
  {
    method: "get",
    path: "/readyz",
    summary:
      "Whether requests are taken: model loaded, workers alive, a test request answered right, not draining",
    isPublic: true,
    answer: "200, or 503 with the state and how far loading has come",
    errors: [503],
  },
  {
    method: "get",
    path: "/health",
    summary: "As /readyz, in the words of other servers",
    isPublic: true,
    answer: '{"status":"ok"}, or 503 as /readyz',
    errors: [503],
  },
  { method: "get", path: "/", summary: "What this is", isPublic: true, answer: "A JSON object with paths" },
  { method: "get", path: "/openapi.json", summary: "This interface as OpenAPI 3.1", answer: "The document" },
  {
    method: "get",
    path: "/docs",
    summary: "This interface as a page",
    answer: "HTML that loads nothing else",
  },
];

/** What error statuses mean. */
export const STATUSES: Readonly<Record<number, string>> = {
  400: "A field is wrong or unknown, the prompt does not fit into the context, or the deadline cannot be met",
  401: "An API key is missing or unknown",
  403: "The Host or Origin header is not allowed",
  404: "No such path or model",
  405: "Another method is needed; Allow names it",
  408: "The body did not arrive in time, or the client did not read its stream",
  413: "The body is too large",
  415: "The body is not uncompressed JSON",
  429: "The queue is full or the answer would come too late; Retry-After says when to try again",
  431: "The headers are too large",
  500: "A fault of the server",
  503:
    "The model is loading, the engine is gone, or the server is shutting down; Retry-After says when to try again",
};

/** Statuses that any path can have. */
export const COMMON_ERRORS = [400, 401, 403, 405, 431, 500];
