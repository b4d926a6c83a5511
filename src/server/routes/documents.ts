/** GET /openapi.json and /docs. @module */

import { documentsOf } from "../api/endpoints.ts";
import type { Endpoint } from "../dialects/dialect.ts";
import type { Route, Service } from "../service.ts";

const HTML_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

/** `endpoints`: of the dialects. What writes the documents is loaded when somebody reads them. */
export function documentRoutes({ models }: Service, endpoints: readonly Endpoint[]): Route[] {
  return [
    {
      method: "GET",
      path: "/openapi.json",
      handle: async () => {
        const { openApi } = await import("../api/openapi.ts");
        return Response.json(openApi(await documentsOf(endpoints)));
      },
    },
    {
      method: "GET",
      path: "/docs",
      handle: async () => {
        const { docsPage } = await import("../api/docs_page.ts");
        const page = docsPage(models.all.map(({ name }) => name), await documentsOf(endpoints));
        return new Response(page, { headers: HTML_HEADERS });
      },
    },
  ];
}
