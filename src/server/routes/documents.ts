/** GET /openapi.json and /docs. @module */

import type { Endpoint } from "../dialects/dialect.ts";
import { answerUsual, type DocumentAnswer, type Representation } from "../documents.ts";
import type { Route, Service } from "../service.ts";
import { PAGE_FRAME, PAGE_HEADERS, redirect, wantsPage } from "./page.ts";

/** How documents are given. */
export interface DocumentOptions {
  /** Default: {@linkcode answerUsual}. */
  readonly documents?: DocumentAnswer;
  /** Whether there is a page whose looks `/docs` can have; default true. */
  readonly page?: boolean;
}

/** `endpoints`: of the dialects. */
export function documentRoutes(
  { models, accounts }: Service,
  endpoints: readonly Endpoint[],
  { documents: answer = answerUsual, page: hasPage = true }: DocumentOptions = {},
): Route[] {
  const description = once(async () => {
    const [{ openApi }, { documentsOf }] = await Promise.all([
      import("../api/openapi.ts"),
      import("../api/endpoints.ts"),
    ]);
    const text = JSON.stringify(openApi(await documentsOf(endpoints)));
    return { type: "application/json", text };
  });
  const page = once(async () => {
    const [{ docsPage, PLAIN_STYLE }, { documentsOf }] = await Promise.all([
      import("../api/docs_page.ts"),
      import("../api/endpoints.ts"),
    ]);
    const known = models.known().map(({ name, info }) => ({ name, sampling: info?.sampling }));
    const documents = await documentsOf(endpoints);
    if (hasPage) {
      return { type: "text/html", text: docsPage(known, documents, PAGE_FRAME), headers: PAGE_HEADERS };
    }
    const policy = `default-src 'none'; style-src '${await sourceOf(PLAIN_STYLE)}'; frame-ancestors 'none'`;
    return {
      type: "text/html",
      text: docsPage(known, documents),
      headers: { "content-security-policy": policy },
    };
  }, () => !models.isShared && models.known().every(({ info }) => info !== null));
  return [
    {
      method: "GET",
      path: "/openapi.json",
      handle: async ({ request }) => answer(request, [await description()]),
    },
    {
      method: "GET",
      path: "/docs",
      alias: "/docs/",
      // Browsers send no key by themselves: the page does.
      isPublic: true,
      handle: async ({ request }) => {
        try {
          accounts.tenant(request.headers);
        } catch (error) {
          if (hasPage && wantsPage(request)) return redirect("/ui/docs");
          throw error;
        }
        return await answer(request, [await page(), await description()]);
      },
    },
  ];
}

/** A style as policies name it. */
async function sourceOf(style: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
  return `sha256-${btoa(String.fromCharCode(...hash))}`;
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
