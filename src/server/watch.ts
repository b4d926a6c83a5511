/** What watches a server: /metrics, /v1/queue, the access log. @module */

import { DEFAULT_CLASSES, type LatencyClass } from "../../scheduler/mod.ts";
import type { Model } from "../client/model.ts";
import type { Usage } from "./accounts/usage.ts";
import { AccessLog } from "./access_log.ts";
import { ApiError } from "./api_error.ts";
import type { BatchFigures } from "./batches/batches.ts";
import type { EnergyFigures } from "./energy.ts";
import { Feed } from "./feed/feed.ts";
import { METRICS_CONTENT_TYPE } from "./metrics/exposition.ts";
import { queueReport } from "./metrics/queue_report.ts";
import { type ConnectionFigures, ServerMetrics } from "./metrics/server_metrics.ts";
import type { RouteMetrics } from "./metrics/route_metrics.ts";
import { type RequestObserver, requestOf } from "./observer.ts";
import type { Route } from "./service.ts";

/** How whatever a server serves is watched. */
export interface WatcherOptions {
  /** How many connections there are, where somebody counts them. */
  readonly connections?: () => ConnectionFigures | undefined;
  /** What the machine takes, where somebody counts it. */
  readonly energy?: () => EnergyFigures | undefined;
  /** How it is with batches, where there are any. */
  readonly batchFigures?: () => BatchFigures | undefined;
  /** Takes a line of JSON for each request; default: nobody. */
  readonly accessLog?: (line: string) => void;
  /** Whether there is a page that looks on; default true. */
  readonly page?: boolean;
  /** What keys have used, where somebody counts it. */
  readonly usage?: Usage;
  /** Hear the same. */
  readonly observers?: readonly RequestObserver[];
  /** More that is told of where requests are answered. */
  readonly routes?: RouteMetrics;
}

export interface WatchOptions extends WatcherOptions {
  readonly modelName: string;
  /** The model's; default: those of a model that was loaded without any. */
  readonly classes?: readonly LatencyClass[];
  /** The model; null while it is not there. */
  readonly source: () => Pick<Model, "stats" | "health" | "info"> | null;
}

/** What watches a server. */
export interface Watch {
  readonly observer: RequestObserver;
  /** The routes that tell what it saw. */
  readonly routes: Route[];
  /** Ends the streams of those who look on. */
  close(): void;
}

/** An observer for the server, and the routes that tell what it saw. */
export function watch(options: WatchOptions): Watch {
  const { modelName, classes = DEFAULT_CLASSES, source, connections, energy, routes: places } = options;
  const { batchFigures, usage } = options;
  const metrics = new ServerMetrics({
    ...{ modelName, classes, source, connections, energy, batchFigures, usage },
    routes: places,
  });
  const upstreams = places && (() => places.figures());
  const { requests } = metrics;
  const feed = new Feed({ modelName, classes, source, requests, connections, energy, upstreams });
  const routes = watchRoutes(metrics, source);
  if (options.page !== false) routes.push(feed.route);
  return { observer: observersOf(metrics.requests, options), routes, close: () => feed.close() };
}

/** The metrics and all others that hear of requests. */
export function observersOf(
  metrics: RequestObserver,
  { accessLog, usage, observers: others = [] }: WatcherOptions,
): RequestObserver {
  const observers = [metrics];
  if (accessLog !== undefined) {
    observers.push(
      new AccessLog({ write: accessLog, requestOf, keyNameOf: (tenant) => usage?.accounts.of(tenant)?.name }),
    );
  }
  if (usage !== undefined) observers.push(usage);
  observers.push(...others);
  return new Observers(observers);
}

function watchRoutes(metrics: ServerMetrics, source: WatchOptions["source"]): Route[] {
  return [
    metricsRoute((tenant) => metrics.scrape(tenant)),
    {
      method: "GET",
      path: "/v1/queue",
      handle: async () => {
        const model = source();
        if (model === null) {
          throw new ApiError(503, "The model is loading", { code: "loading", retryAfterMs: 5000 });
        }
        return Response.json(queueReport(await metrics.engineStats(), model.health()));
      },
    },
  ];
}

/** GET /metrics. */
export function metricsRoute(scrape: (tenant: string) => Promise<string>): Route {
  return {
    method: "GET",
    path: "/metrics",
    handle: async ({ tenant }) =>
      new Response(await scrape(tenant), { headers: { "content-type": METRICS_CONTENT_TYPE } }),
  };
}

/** Tells several observers the same. */
class Observers implements RequestObserver {
  readonly #all: readonly RequestObserver[];

  constructor(all: readonly RequestObserver[]) {
    this.#all = all;
  }

  accepted(...of: Parameters<RequestObserver["accepted"]>): void {
    for (const each of this.#all) each.accepted(...of);
  }

  firstToken(...of: Parameters<RequestObserver["firstToken"]>): void {
    for (const each of this.#all) each.firstToken(...of);
  }

  tokens(...of: Parameters<RequestObserver["tokens"]>): void {
    for (const each of this.#all) each.tokens(...of);
  }

  finished(...of: Parameters<RequestObserver["finished"]>): void {
    for (const each of this.#all) each.finished(...of);
  }

  refused(...of: Parameters<RequestObserver["refused"]>): void {
    for (const each of this.#all) each.refused(...of);
  }

  answered(...of: Parameters<NonNullable<RequestObserver["answered"]>>): void {
    for (const each of this.#all) each.answered?.(...of);
  }

  routed(...of: Parameters<NonNullable<RequestObserver["routed"]>>): void {
    for (const each of this.#all) each.routed?.(...of);
  }

  ignored(field: string): void {
    for (const each of this.#all) each.ignored?.(field);
  }

  receiptLost(): void {
    for (const each of this.#all) each.receiptLost?.();
  }
}
