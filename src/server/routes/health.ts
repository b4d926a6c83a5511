/** GET / for programs, /livez, /readyz and /health, which need no key and tell nothing that is worth one. @module */

import { ApiError, OPENAI_ERRORS } from "../api_error.ts";
import type { LoadProgress } from "../../protocol/options/load.ts";
import type { Route, Service } from "../service.ts";

const RETRY_SECONDS = "5";

export function healthRoutes(service: Service): Route[] {
  return [
    // Whoever answers this is alive.
    {
      method: "GET",
      path: "/livez",
      isPublic: true,
      isProbe: true,
      handle: () => Response.json({ live: true }),
    },
    { method: "GET", path: "/readyz", isPublic: true, isProbe: true, handle: () => readyz(service) },
    // The name that load generators and other servers' probes know.
    { method: "GET", path: "/health", isPublic: true, isProbe: true, handle: () => health(service) },
  ];
}

/** GET /. */
export const ABOUT_ROUTE: Route = {
  method: "GET",
  path: "/",
  isPublic: true,
  handle: () => Response.json(ABOUT, { headers: { vary: "accept" } }),
};

const ABOUT = {
  name: "kumi",
  what: "a large language model behind an HTTP interface that OpenAI's clients can use",
  base_url: "/v1",
  documentation: "/docs",
  openapi: "/openapi.json",
  health: ["/livez", "/readyz", "/health"],
};

/** How far loading has come, as clients see it. */
export function progressFields({ phase, doneBytes, totalBytes }: LoadProgress) {
  return { phase, done_bytes: doneBytes, total_bytes: totalBytes };
}

function health(service: Service): Response {
  return service.readiness().ready ? Response.json({ status: "ok" }) : readyz(service);
}

function readyz(service: Service): Response {
  const { ready, state, reason, progress } = service.readiness();
  const body: Record<string, unknown> = { ready, state };
  if (reason !== undefined) body.reason = reason;
  if (progress !== undefined) {
    body.progress = progressFields(progress);
  }
  if (ready) return Response.json(body);
  const error = new ApiError(503, reason ?? `The server is ${state}`, { code: state });
  return Response.json({ ...body, ...OPENAI_ERRORS.body(error) }, {
    status: 503,
    headers: { "retry-after": RETRY_SECONDS },
  });
}
