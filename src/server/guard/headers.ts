/** Bounds on headers, and the ids of requests. @module */

import { ApiError } from "../api_error.ts";

export interface HeaderLimits {
  readonly count: number;
  /** Names and values together. */
  readonly bytes: number;
}

export const HEADER_LIMITS: HeaderLimits = { count: 100, bytes: 16 << 10 };

/** Throws an ApiError, 431. */
export function checkHeaders(headers: Headers, limits: HeaderLimits = HEADER_LIMITS): void {
  let count = 0, bytes = 0;
  for (const [name, value] of headers) {
    count++;
    bytes += name.length + value.length;
  }
  if (count > limits.count || bytes > limits.bytes) {
    throw new ApiError(431, `Headers must be at most ${limits.count} with ${limits.bytes} bytes together`, {
      code: "headers_too_large",
    });
  }
}

/** A new id, such as "5d41402abc4b2a76b9719d91". */
export function newId(): string {
  return crypto.getRandomValues(new Uint8Array(12)).toHex();
}

/** The client's own name for its request, where it is one that may be sent back. */
export function clientRequestId(headers: Headers): string | undefined {
  const id = headers.get("x-request-id");
  return id !== null && /^[A-Za-z0-9._-]{1,64}$/.test(id) ? id : undefined;
}
