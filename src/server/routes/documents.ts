/** GET /openapi.json and /docs. @module */

import { docsPage } from "../api/docs_page.ts";
import { openApi } from "../api/openapi.ts";
import type { Route, Service } from "../service.ts";

const HTML_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

export function documentRoutes({ modelName }: Service): Route[] {
  return [
    { method: "GET", path: "/openapi.json", handle: () => Response.json(openApi()) },
    {
      method: "GET",
      path: "/docs",
      handle: () => new Response(docsPage(modelName), { headers: HTML_HEADERS }),
    },
  ];
}
