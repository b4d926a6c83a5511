/** GET /openapi.json and /docs. @module */

import { documentsOf } from "../api/endpoints.ts";
import type { Endpoint } from "../dialects/dialect.ts";
import { answerUsual, type DocumentAnswer, type Representation } from "../documents.ts";
import type { Route, Service } from "../service.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** `endpoints`: of the dialects. `answer`: how documents are sent. */
export function documentRoutes(
  { models }: Service,
  endpoints: readonly Endpoint[],
  answer: DocumentAnswer = answerUsual,
): Route[] {
  const description = once(async () => {
    const { openApi } = await import("../api/openapi.ts");
    const text = JSON.stringify(openApi(await documentsOf(endpoints)));
    return { type: "application/json", text };
  });
  const page = once(async () => {
    const { docsPage } = await import("../api/docs_page.ts");
    const known = models.all.map(({ name, host }) => ({ name, sampling: host.loaded?.info.sampling }));
    const text = docsPage(known, await documentsOf(endpoints));
    return { type: "text/html", text, headers: { "content-security-policy": POLICY } };
  }, () => models.all.every(({ host }) => host.loaded !== null));
  return [
    {
      method: "GET",
      path: "/openapi.json",
      handle: async ({ request }) => answer(request, [await description()]),
    },
    {
      method: "GET",
      path: "/docs",
      handle: async ({ request }) => answer(request, [await page(), await description()]),
    },
  ];
}

/**
 * Loaded and written when somebody first reads it: a server without readers starts sooner. `isFinal`: whether
 * what is written now stays true.
 */
function once(write: () => Promise<Representation>, isFinal = () => true): () => Promise<Representation> {
  let written: Promise<Representation> | undefined;
  return () => {
    if (written !== undefined) return written;
    const now = write();
    if (isFinal()) written = now;
    return now;
  };
}
