/** GET /v1/usage. @module */

import type { Exchange, Route, Service } from "../service.ts";

/** What keys have used: an administrator sees all, who has another key their own. */
export function usageRoute(service: Service): Route {
  return {
    method: "GET",
    path: "/v1/usage",
    handle: ({ tenant }: Exchange) => {
      const account = service.accounts.of(tenant);
      const name = account?.rules.admin ? undefined : account?.name;
      return new Response(service.usage.csv(name), {
        headers: { "content-type": "text/csv; charset=utf-8; header=present" },
      });
    },
  };
}
