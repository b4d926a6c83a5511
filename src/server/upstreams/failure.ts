/** What goes wrong at an upstream. @module */

import { ApiError } from "../api_error.ts";

/**
 * "unreachable": no connection, or it broke off; "slow": a time limit passed; "status": it answered with an error of its
 * own; "key": it does not take the server's key; "model": it does not have the model; "malformed": what came is no
 * answer; "busy": it is full.
 */
export type FailureKind = "unreachable" | "slow" | "status" | "key" | "model" | "malformed" | "busy";

/** An upstream did not answer. Its message is for the operator: clients are told less. */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly kind: FailureKind;
  /** Of a busy one: when to come again, in ms. */
  readonly retryAfterMs?: number;

  constructor(
    kind: FailureKind,
    message: string,
    { retryAfterMs, cause }: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a client is told where no place could answer it. */
export function forClient({ kind, retryAfterMs }: UpstreamFailure): ApiError {
  if (kind === "busy") {
    return new ApiError(429, "The server that answers this request is full", {
      code: "upstream_full",
      retryAfterMs,
    });
  }
  return new ApiError(502, "The server that answers this request failed", { code: "upstream_failed" });
}
