/** The errors of the HTTP interface. @module */

/** The error object as OpenAI's clients know it. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** Seconds after which to try again where nothing better is known. */
const RETRY_SECONDS = 1;

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  500: "server_error",
  502: "server_error",
  503: "server_error",
  508: "server_error",
};

/** Details of an {@linkcode ApiError}. */
export interface ApiErrorDetails {
  /** The field or header that is wrong. */
  param?: string;
  /** A short name that programs can look at. */
  code?: string;
  /** When to try again, in ms. 429 and 503 always say it. */
  retryAfterMs?: number;
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** What a client is told. `status`: of the HTTP response. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly param?: string;
  readonly code?: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, details: ApiErrorDetails = {}) {
    super(message, { cause: details.cause });
    const { param, code, retryAfterMs, headers } = details;
    this.status = status;
    this.param = param;
    this.code = code;
    const seconds = retryAfterMs === undefined ? RETRY_SECONDS : Math.max(1, Math.ceil(retryAfterMs / 1000));
    const mustRetry = status === 429 || status === 503;
    this.headers = mustRetry ? { ...headers, "retry-after": String(seconds) } : { ...headers };
  }
}

/** How an endpoint writes errors. */
export interface ErrorShape {
  /** The JSON of a response, or of an event in a stream. */
  body(error: ApiError): unknown;
  /** Default: the error's own. */
  status?(error: ApiError): number;
}

/** As OpenAI's clients know them. */
export const OPENAI_ERRORS = {
  body: ({ status, message, param, code }: ApiError): ErrorBody => ({
    error: {
      message,
      type: TYPES[status] ?? "invalid_request_error",
      param: param ?? null,
      code: code ?? null,
    },
  }),
} satisfies ErrorShape;

/** An error as a response. */
export function errorResponse(error: ApiError, shape: ErrorShape = OPENAI_ERRORS): Response {
  const status = shape.status?.(error) ?? error.status;
  return Response.json(shape.body(error), { status, headers: error.headers });
}

/** A field that is wrong. */
export function badField(param: string, message: string, code = "invalid_value"): ApiError {
  return new ApiError(400, message, { param, code });
}
