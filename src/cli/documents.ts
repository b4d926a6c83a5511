/**
 * Documents for browsers and programs: in the media type that each likes best, and only where it has not got
 * them yet.
 * @module
 */

import { eTag, ifNoneMatch } from "@std/http/etag";
import { accepts } from "@std/http/negotiation";
import { type DocumentAnswer, documentHeaders, type Representation } from "../server/documents.ts";

/**
 * Answers with the representation that `Accept` prefers, the usual one where it takes none, and with 304
 * where the client has the text already. This comes from `@std/http`, which the library does without: it must
 * not need JSR.
 */
export function negotiatedDocuments(): DocumentAnswer {
  const tags = new WeakMap<Representation, Promise<string>>();
  return async (request, representations) => {
    const type = accepts(request, ...representations.map(({ type }) => type));
    const chosen = representations.find((each) => each.type === type) ?? representations[0];
    if (!tags.has(chosen)) tags.set(chosen, eTag(chosen.text));
    const etag = await tags.get(chosen)!;
    const headers = documentHeaders(chosen);
    headers.set("etag", etag);
    // Another version of kumi may describe another interface: ask each time.
    headers.set("cache-control", "no-cache");
    if (representations.length > 1) headers.set("vary", "accept");
    if (ifNoneMatch(request.headers.get("if-none-match"), etag)) {
      return new Response(chosen.text, { headers });
    }
    headers.delete("content-type");
    return new Response(null, { status: 304, headers });
  };
}
