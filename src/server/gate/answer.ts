/** What the gate itself answers. @module */

import { ApiError, OPENAI_ERRORS } from "../api_error.ts";
import type { GateLimits } from "./limits.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};
/** A place falls free whenever a client leaves. */
const RETRY_MS = 1000;

export function headTimeout({ headMs }: GateLimits): ApiError {
  return new ApiError(408, `The headers did not arrive within ${headMs / 1000} s`, {
    code: "header_timeout",
  });
}

export function headTooLarge({ headBytes }: GateLimits): ApiError {
  return new ApiError(431, `The headers must have at most ${headBytes} bytes together`, {
    code: "headers_too_large",
  });
}

/** Where the server behind has closed without an answer. */
export function badRequest(): ApiError {
  return new ApiError(
    400,
    "The request is no valid HTTP: its headers or its body are malformed or broke off",
    {
      code: "malformed_request",
    },
  );
}

export function tooManyConnections(isOfAddress: boolean): ApiError {
  const message = isOfAddress ? "Your address has too many connections" : "There are too many connections";
  return new ApiError(503, message, { code: "too_many_connections", retryAfterMs: RETRY_MS });
}

/** An error as the bytes of a response after which the connection ends. */
export function responseBytes(error: ApiError): Uint8Array {
  const encoder = new TextEncoder();
  const body = encoder.encode(JSON.stringify(OPENAI_ERRORS.body(error)));
  const headers = {
    "content-type": "application/json",
    "content-length": `${body.length}`,
    connection: "close",
    "x-content-type-options": "nosniff",
    ...error.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = encoder.encode(`HTTP/1.1 ${error.status} ${REASONS[error.status]}\r\n${lines.join("")}\r\n`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}
