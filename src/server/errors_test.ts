import { assert, assertEquals } from "@std/assert";
import { ContextError, EngineError, QuarantineError, RefusedError } from "../protocol/errors.ts";
import { TemplateError } from "../tokenizer/error.ts";
import { ApiError, errorResponse, OPENAI_ERRORS } from "./api_error.ts";
import { toApiError } from "./errors.ts";

Deno.test("toApiError() gives each error its status and code", () => {
  const cases: [unknown, number, string | null][] = [
    [new RefusedError("full", "queue-full", 1200), 429, "queue_full"],
    [new RefusedError("late", "slo", 10), 429, "too_late"],
    [new RefusedError("late", "deadline", 10), 429, "deadline_missed"],
    [new RefusedError("never", "deadline"), 400, "deadline_impossible"],
    [new RefusedError("long", "too-long"), 400, "context_length_exceeded"],
    [new ContextError("long"), 400, "context_length_exceeded"],
    [new TemplateError("roles"), 400, "invalid_value"],
    [new RangeError("range"), 400, "invalid_value"],
    [new EngineError("gone"), 503, "engine_unavailable"],
    [new QuarantineError(2, "died at /home/me"), 500, "request_quarantined"],
    [new Error("secret /etc/passwd"), 500, "internal_error"],
    ["text", 500, "internal_error"],
    [new ApiError(413, "large"), 413, null],
  ];
  for (const [thrown, status, code] of cases) {
    const error = toApiError(thrown);
    assertEquals([error.status, OPENAI_ERRORS.body(error).error.code], [status, code], String(thrown));
    const mustRetry = status === 429 || status === 503;
    assertEquals(errorResponse(error).headers.has("retry-after"), mustRetry);
  }
  assertEquals(toApiError(cases[0][0]).headers["retry-after"], "2");
});

Deno.test("toApiError() tells nobody what went wrong inside", () => {
  for (
    const inner of [
      new Error("secret /etc/passwd"),
      new EngineError("secret"),
      new QuarantineError(2, "secret"),
    ]
  ) {
    const { message, cause } = toApiError(inner);
    assert(!message.includes("secret"), message);
    assertEquals(cause, inner);
  }
});
