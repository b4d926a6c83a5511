/** What every request passes on its way to what answers it. @module */

import { printFault } from "../process/print.ts";
import { ApiError, errorResponse } from "./api_error.ts";
import type { Endpoint } from "./dialects/dialect.ts";
import { toApiError } from "./errors.ts";
import { checkHeaders, clientRequestId, type HeaderLimits, newId } from "./guard/headers.ts";
import { OriginGuard, type OriginRules } from "./guard/origin.ts";
import { presenceOf } from "./presence.ts";
import { type AdminActions, adminRoutes } from "./routes/admin.ts";
import { dialectRoutes } from "./routes/dialects.ts";
import type { DocumentAnswer } from "./documents.ts";
import { documentRoutes } from "./routes/documents.ts";
import { ABOUT_ROUTE, healthRoutes } from "./routes/health.ts";
import { pageRoutes } from "./routes/page.ts";
import { modelRoutes } from "./routes/models.ts";
import { usageRoute } from "./routes/usage.ts";
import type { Exchange, Route, Service } from "./service.ts";

export interface FrontOptions extends OriginRules, AdminActions {
  /** Where which dialect is spoken. */
  readonly endpoints: readonly Endpoint[];
  /** How documents are sent. */
  readonly documents?: DocumentAnswer;
  /** Whether browsers are shown the page; default true. */
  readonly page?: boolean;
  /** What is answered besides. */
  readonly routes?: readonly Route[];
  readonly headerLimits?: HeaderLimits;
  readonly clientLeft?: (request: Request) => AbortSignal | undefined;
}

/** What is known of a request when it has been answered. */
interface Seen {
  /** The route's pattern. */
  route: string;
  tenant: string;
  errors?: Route["errors"];
}

/** What every request passes: limits, names, keys, the table of routes. */
export class Front {
  readonly #service: Service;
  #origins: OriginGuard;
  #rules: OriginRules;
  readonly #headerLimits?: HeaderLimits;
  readonly #clientLeft?: FrontOptions["clientLeft"];
  readonly #exact = new Map<string, Route[]>();
  readonly #prefixes: [string, Route][] = [];

  constructor(service: Service, options: FrontOptions) {
    this.#service = service;
    this.#rules = { allowHosts: options.allowHosts, cors: options.cors };
    this.#origins = new OriginGuard(this.#rules);
    this.#headerLimits = options.headerLimits;
    this.#clientLeft = options.clientLeft;
    const routes = [
      ...healthRoutes(service),
      ...options.page === false ? [ABOUT_ROUTE] : pageRoutes(ABOUT_ROUTE, options.documents),
      ...documentRoutes(service, options.endpoints, options),
      ...modelRoutes(service),
      usageRoute(service),
      ...adminRoutes(service, options),
      ...dialectRoutes(service, options.endpoints),
      ...options.routes ?? [],
    ];
    for (const route of routes) {
      for (const path of [route.path, ...route.alias === undefined ? [] : [route.alias]]) {
        if (path.endsWith("/*")) this.#prefixes.push([path, route]);
        else this.#exact.set(path, [...this.#exact.get(path) ?? [], route]);
      }
    }
  }

  /** From now on these names and pages may ask; what is not given stays. */
  admit({ allowHosts = this.#rules.allowHosts, cors = this.#rules.cors }: OriginRules): void {
    this.#rules = { allowHosts, cors };
    this.#origins = new OriginGuard(this.#rules);
  }

  async handle(request: Request): Promise<Response> {
    const startedAt = performance.now();
    const id = newId();
    const seen: Seen = { route: "", tenant: "" };
    let response: Response;
    let code: string | undefined;
    try {
      response = await this.#answer(request, { id, startedAt, seen });
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.status === 500) printFault(`kumi: request ${id} failed:`, thrown);
      response = errorResponse(error, await seen.errors?.().catch(() => undefined));
      code = error.code;
    }
    this.#finish(request, response, id);
    this.#service.observer.answered?.({
      id,
      method: request.method,
      route: seen.route,
      tenant: seen.tenant,
      status: response.status,
      headMs: performance.now() - startedAt,
      ...code === undefined ? {} : { code },
    });
    return response;
  }

  #answer(
    request: Request,
    { id, startedAt, seen }: { id: string; startedAt: number; seen: Seen },
  ): Response | Promise<Response> {
    checkHeaders(request.headers, this.#headerLimits);
    const url = URL.parse(request.url);
    if (url === null) throw new ApiError(400, "The request's target or its Host header is no valid one");
    const candidates = this.#exact.get(url.pathname) ??
      this.#prefixes.filter(([path]) => url.pathname.startsWith(path.slice(0, -1))).map(([, route]) => route);
    seen.errors = candidates.find(({ errors }) => errors !== undefined)?.errors;
    const { accounts } = this.#service;
    const anyHost = !accounts.isOpen || candidates.some(({ isProbe }) => isProbe);
    this.#origins.check(request.headers, url, { anyHost });
    const preflight = this.#origins.preflight(request);
    if (preflight !== null) return preflight;
    // Whoever has no key does not learn what there is.
    if (!candidates.some(({ isPublic }) => isPublic)) {
      const keyHeaders = candidates.flatMap((each) => each.keyHeaders ?? []);
      seen.tenant = accounts.tenant(request.headers, keyHeaders);
    }
    if (candidates.length === 0) throw this.#notFound(url);
    const route = choose(candidates, request.method);
    seen.route = route.path;
    const client = presenceOf(request, this.#clientLeft);
    const exchange: Exchange = { request, client, url, id, startedAt, tenant: seen.tenant };
    return route.handle(exchange);
  }

  /** A base URL with too much or too little in it is the commonest mistake. */
  #notFound({ pathname }: URL): ApiError {
    const meant = this.#exact.keys().find((path) => path !== "/" && pathname.endsWith(path));
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    return new ApiError(404, `There is nothing at this path${hint}`, { code: "not_found" });
  }

  #finish(request: Request, { headers }: Response, id: string): void {
    // The rest of its body would be waited for.
    if (hasUnreadBody(request)) headers.set("connection", "close");
    headers.set("x-request-id", clientRequestId(request.headers) ?? id);
    headers.set("x-content-type-options", "nosniff");
    for (const [name, value] of Object.entries(this.#origins.responseHeaders(request))) {
      if (name === "vary") headers.append(name, value);
      else headers.set(name, value);
    }
  }
}

function hasUnreadBody(request: Request): boolean {
  if (request.bodyUsed || request.body === null) return false;
  const { headers } = request;
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

/** Throws an ApiError, 405. */
function choose(candidates: readonly Route[], method: string): Route {
  const wanted = method === "HEAD" ? "GET" : method;
  const route = candidates.find((each) => each.method === wanted);
  if (route !== undefined) return route;
  const allow = candidates.flatMap((each) => each.method === "GET" ? ["GET", "HEAD"] : [each.method]).join(
    ", ",
  );
  throw new ApiError(405, `This path takes ${allow}`, { code: "method_not_allowed", headers: { allow } });
}
