/**
 * Stand-in for the part of `@std/http/etag` that this project uses, for networks that do not reach JSR.
 * @module
 */

/** An ETag of a text: equal for equal texts. */
export async function eTag(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `"${bytes.length.toString(16)}-${digest.toBase64().slice(0, 27)}"`;
}

/**
 * Whether none of the tags in an `If-None-Match` header is this one, so that the text has to be sent. Weak
 * tags count like strong ones (RFC 9110, 13.1.2): a compressed answer has a weak one.
 */
export function ifNoneMatch(header: string | null, etag: string | undefined): boolean {
  if (!header || !etag) return true;
  if (header.trim() === "*") return false;
  const strong = (tag: string) => tag.trim().replace(/^W\//, "");
  return !header.split(",").some((tag) => strong(tag) === strong(etag));
}
