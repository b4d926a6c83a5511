import { badField } from "../../api_error.ts";

/**
 * A body in which the fields of `extra_body` are its own, as clients send them that mean them to be. One that
 * the body itself says counts, but for null, which says nothing.
 */
export function withExtraBody(body: unknown): unknown {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, "extra_body")) return body;
  const { extra_body: extra, ...own } = body as Record<string, unknown>;
  if (extra === null) return own;
  if (typeof extra !== "object" || Array.isArray(extra)) {
    throw badField("extra_body", '"extra_body" must be an object');
  }
  return {
    ...own,
    ...extra,
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null)),
  };
}
