/** GET /v1/usage. @module */

import type { Exchange, Route, Service } from "../service.ts";

/** What keys have used: an administrator and who may see it are shown all, others their own. */
export function usageRoute(service: Service): Route {
  return {
    method: "GET",
    path: "/v1/usage",
    handle: ({ tenant }: Exchange) =>
      new Response(service.usage.csv(service.usage.shownTo(tenant)), {
        headers: { "content-type": "text/csv; charset=utf-8; header=present" },
      }),
  };
}
