/** Errors as Anthropic's clients know them. @module */

import type { ApiError, ErrorShape } from "../../api_error.ts";

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  502: "api_error",
  503: "overloaded_error",
};

/** What clients' loops over tools look for: then they send the whole conversation each time. */
const NO_THREADS = { details: { error_code: "thread_unsupported_request", unsupported: ["thread"] } };

export const ANTHROPIC_ERRORS = {
  body: ({ status, message, param }: ApiError) => ({
    type: "error",
    error: {
      type: TYPES[status] ?? "invalid_request_error",
      message,
      ...param === "thread" ? NO_THREADS : {},
    },
  }),
  // Their own status of a server that has no room; clients try again.
  status: ({ status }: ApiError) => status === 503 ? 529 : status,
} satisfies ErrorShape;
