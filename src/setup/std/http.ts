/**
 * Stand-in for the part of `@std/http` that this project uses, for networks that do not reach JSR.
 * @module
 */

/** Status codes by name (RFC 9110, RFC 6585). */
export const STATUS_CODE = {
  OK: 200,
  NoContent: 204,
  PartialContent: 206,
  MovedPermanently: 301,
  Found: 302,
  TemporaryRedirect: 307,
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  RequestTimeout: 408,
  ContentTooLarge: 413,
  UnsupportedMediaType: 415,
  RangeNotSatisfiable: 416,
  TooManyRequests: 429,
  InternalServerError: 500,
  BadGateway: 502,
  ServiceUnavailable: 503,
  GatewayTimeout: 504,
} as const;

/** One of the codes in {@linkcode STATUS_CODE}. */
export type StatusCode = (typeof STATUS_CODE)[keyof typeof STATUS_CODE];
