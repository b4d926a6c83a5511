/** The HTTP interface as a handler for Deno.serve. @module */

import { checkOptions, wrongType } from "../protocol/arguments.ts";
import type { LoadProgress } from "../protocol/options/load.ts";
import type { Model } from "../client/model.ts";
import { ApiError } from "./api_error.ts";
import { toApiError } from "./errors.ts";
import { checkHeaders, clientRequestId, type HeaderLimits, newId } from "./guard/headers.ts";
import { BODY_LIMITS } from "./guard/json_body.ts";
import { ApiKeys } from "./guard/keys.ts";
import { OriginGuard } from "./guard/origin.ts";
import { ModelHost, type Readiness } from "./model_host.ts";
import { HANDLER_CHECKS } from "./option_checks.ts";
import { type HandlerOptions, SERVE_DEFAULTS } from "./options.ts";
import { Presence } from "./presence.ts";
import { documentRoutes } from "./routes/documents.ts";
import { embeddingRoutes } from "./routes/embeddings.ts";
import { generationRoutes } from "./routes/generations.ts";
import { healthRoutes } from "./routes/health.ts";
import { modelRoutes } from "./routes/models.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { type Exchange, type Route, Service } from "./service.ts";
import { watch } from "./watch.ts";
import { STREAM_LIMITS } from "./sse.ts";
import { printFault } from "../process/print.ts";

/** Answers requests; also tells how it is and lets go of them. */
export interface Handler {
  (request: Request): Promise<Response>;
  /** Whether it would take requests, and if not why. */
  readiness(): Readiness;
  /** How far loading has come, for /readyz. */
  noteProgress(progress: LoadProgress): void;
  /** Resolves when the model is there and tested, or is not to be had. */
  readonly settled: Promise<void>;
  /** Refuses new requests, waits for those under way, and after `ms` ends them with an error. */
  drain(ms: number): Promise<void>;
  /** Ends its timers. The model stays open. */
  close(): void;
}

/**
 * A handler for a program's own server. `model` may still be loading: until it is there, requests are refused with 503.
 *
 * Of a request without `stream` Deno.serve does not tell that its client has left (as of 2.9; its signal stays silent where the
 * body came after the headers): its answer is computed to its end. `serve()` sees it, since its gate does; so does a handler
 * whose `clientLeft` is told by whoever has the connection.
 *
 * ```ts
 * import { loadModel } from "@kumi/kumi";
 *
 * await using model = await loadModel("demo");
 * const handler = createHandler(model);
 * await using server = Deno.serve({ hostname: "127.0.0.1", port: 0 }, handler); // 0: any port that is free
 * const { port } = server.addr;
 * const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
 * console.log(await answer.text());
 * handler.close();
 * ```
 *
 * Throws a TypeError or RangeError for arguments that cannot be.
 */
export function createHandler(model: Model | Promise<Model>, options: HandlerOptions = {}): Handler {
  if (typeof model !== "object" || model === null) {
    throw wrongType("model", "a loaded model or a promise of one", model);
  }
  checkOptions("createHandler()", options, HANDLER_CHECKS);
  return handlerOf(model, options);
}

/** {@linkcode createHandler} for options that were checked, and may have others beside them. */
export function handlerOf(model: Model | Promise<Model>, options: HandlerOptions): Handler {
  const host = new ModelHost(model, options.canaryMs ?? SERVE_DEFAULTS.canaryMs);
  const modelName = options.modelName ?? "kumi";
  const watched = watch({ ...options, modelName, source: () => host.loaded });
  const service = new Service({
    host,
    modelName,
    observer: watched.observer,
    onBody: options.onBody,
    lenient: options.lenient,
    bodyLimits: { ...BODY_LIMITS, ...options.bodyLimits },
    streamLimits: { ...STREAM_LIMITS, ...options.streamLimits },
  });
  const front = new Front(service, { ...options, routes: [...watched.routes, ...options.routes ?? []] });
  return Object.assign((request: Request) => front.handle(request), {
    readiness: () => host.readiness(),
    noteProgress: (progress: LoadProgress) => {
      host.progress = progress;
    },
    settled: host.settled,
    drain: (ms: number) => service.drain(ms),
    close: () => host.close(),
  });
}

/** What every request passes: limits, names, keys, the table of routes. */
class Front {
  readonly #service: Service;
  readonly #keys: ApiKeys;
  readonly #origins: OriginGuard;
  readonly #headerLimits?: HeaderLimits;
  readonly #clientLeft?: HandlerOptions["clientLeft"];
  readonly #exact = new Map<string, Route[]>();
  readonly #prefixes: [string, Route][] = [];

  constructor(service: Service, options: HandlerOptions) {
    this.#service = service;
    this.#keys = new ApiKeys(options.apiKeys ?? []);
    this.#origins = new OriginGuard(options);
    this.#headerLimits = options.headerLimits;
    this.#clientLeft = options.clientLeft;
    const routes = [
      ...healthRoutes(service),
      ...documentRoutes(service),
      ...modelRoutes(service),
      ...generationRoutes(service),
      ...embeddingRoutes(service),
      ...tokenRoutes(service),
      ...options.routes ?? [],
    ];
    for (const route of routes) {
      for (const path of [route.path, ...route.alias === undefined ? [] : [route.alias]]) {
        if (path.endsWith("/*")) this.#prefixes.push([path, route]);
        else this.#exact.set(path, [...this.#exact.get(path) ?? [], route]);
      }
    }
  }

  async handle(request: Request): Promise<Response> {
    const startedAt = performance.now();
    const id = newId();
    const seen = { route: "", tenant: "" };
    let response: Response;
    let code: string | undefined;
    try {
      response = await this.#answer(request, { id, startedAt, seen });
    } catch (thrown) {
      const error = toApiError(thrown);
      if (error.status === 500) printFault(`kumi: request ${id} failed:`, thrown);
      response = error.toResponse();
      code = error.code;
    }
    this.#finish(request, response, id);
    this.#service.observer.answered?.({
      id,
      method: request.method,
      ...seen,
      status: response.status,
      headMs: performance.now() - startedAt,
      ...code === undefined ? {} : { code },
    });
    return response;
  }

  #answer(
    request: Request,
    { id, startedAt, seen }: { id: string; startedAt: number; seen: { route: string; tenant: string } },
  ): Response | Promise<Response> {
    checkHeaders(request.headers, this.#headerLimits);
    const url = URL.parse(request.url);
    if (url === null) throw new ApiError(400, "The request's target or its Host header is no valid one");
    const candidates = this.#exact.get(url.pathname) ??
      this.#prefixes.filter(([path]) => url.pathname.startsWith(path.slice(0, -1))).map(([, route]) => route);
    const anyHost = !this.#keys.isOpen || candidates.some(({ isProbe }) => isProbe);
    this.#origins.check(request.headers, url, { anyHost });
    const preflight = this.#origins.preflight(request);
    if (preflight !== null) return preflight;
    // Whoever has no key does not learn what there is.
    if (!candidates.some(({ isPublic }) => isPublic)) seen.tenant = this.#keys.tenant(request.headers);
    if (candidates.length === 0) throw this.#notFound(url);
    const route = choose(candidates, request.method);
    seen.route = route.path;
    const client = new Presence(request, this.#clientLeft);
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
      headers.set(name, value);
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
