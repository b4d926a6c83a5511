/** The one place that turns anything thrown into an error of the HTTP interface. @module */

import { ContextError, EngineError, QuarantineError, RefusedError } from "../protocol/errors.ts";
import { TemplateError } from "../tokenizer/error.ts";
import { TokenizerError } from "../tokenizer/error.ts";
import { ApiError, badField } from "./api_error.ts";

/** What a client is told about anything that was thrown. What it cannot help is a 500 without details. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof RefusedError) return refused(error);
  if (error instanceof ContextError) {
    return new ApiError(400, error.message, { code: "context_length_exceeded" });
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new ApiError(429, error.message, { code: "deadline_missed" });
  }
  if (error instanceof TemplateError) return badField("messages", error.message);
  if (error instanceof RangeError || error instanceof TokenizerError) {
    return new ApiError(400, error.message, { code: "invalid_value" });
  }
  if (error instanceof QuarantineError) {
    const what = `This request was given up: the engine ended ${error.deaths} times while it computed it`;
    return new ApiError(500, what, {
      code: "request_quarantined",
      // Clients of OpenAI's and Anthropic's send again what failed so, unless they are told not to.
      headers: { "x-should-retry": "false" },
      cause: error,
    });
  }
  if (error instanceof EngineError) {
    return new ApiError(503, "The engine cannot serve requests", {
      code: "engine_unavailable",
      cause: error,
    });
  }
  return new ApiError(500, "The request failed inside the server", { code: "internal_error", cause: error });
}

function refused({ message, reason, retryAfterMs }: RefusedError): ApiError {
  if (reason === "too-long") return new ApiError(400, message, { code: "context_length_exceeded" });
  if (reason === "deadline" && retryAfterMs === undefined) {
    return new ApiError(400, message, { param: "deadline_ms", code: "deadline_impossible" });
  }
  const code = { "queue-full": "queue_full", slo: "too_late", deadline: "deadline_missed" }[reason];
  return new ApiError(429, message, { code, retryAfterMs });
}
