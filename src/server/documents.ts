/** Texts that a server gives to read: the same for everybody for as long as it runs. @module */

/** A document in one media type. */
export interface Representation {
  /** Media type without parameters: `text/html`. */
  readonly type: string;
  readonly text: string;
  /** Headers beside those of the type. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers a request for a document that there is in these representations, the usual one first. They are the
 * same objects for each request.
 */
export type DocumentAnswer = (
  request: Request,
  representations: readonly Representation[],
) => Response | Promise<Response>;

/** The headers of a representation. */
export function documentHeaders({ type, headers }: Representation): Headers {
  const all = new Headers(headers);
  all.set("content-type", type.startsWith("text/") ? `${type}; charset=utf-8` : type);
  return all;
}

/** Sends the usual representation, whatever the request would rather have. */
export const answerUsual: DocumentAnswer = (_request, [usual]) =>
  new Response(usual.text, { headers: documentHeaders(usual) });
