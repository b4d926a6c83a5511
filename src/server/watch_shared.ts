/** What watches a server whose models share the memory. @module */

import { ApiError } from "./api_error.ts";
import { Feed } from "./feed/feed.ts";
import { queueReport, type QueueWorker, sumQueues } from "./metrics/queue_report.ts";
import { SharedMetrics } from "./metrics/shared_metrics.ts";
import type { SharedModels } from "./residency/shared_models.ts";
import type { Exchange } from "./service.ts";
import { metricsRoute, observersOf, type Watch, type WatcherOptions } from "./watch.ts";

/** As `watch()`. The page and its feed look at one model at a time: the one that is asked for, `?model=NAME`. */
export function watchShared(models: SharedModels, options: WatcherOptions): Watch {
  const { connections, batchFigures, energy, usage, routes: places } = options;
  const metrics = new SharedMetrics(models, { connections, batchFigures, energy, usage, routes: places });
  const upstreams = places && (() => places.figures());
  const feeds = new Map<string, Feed>();
  const feedOf = (name: string) =>
    feeds.getOrInsertComputed(name, () =>
      new Feed({
        modelName: name,
        isShared: true,
        classes: models.classesOf(name),
        source: () => models.hostOf(name)?.loaded ?? null,
        requests: metrics.of(name).requests,
        connections,
        energy,
        upstreams,
      }));
  const routes = [
    metricsRoute((tenant) => metrics.scrape(tenant)),
    {
      method: "GET" as const,
      path: "/v1/queue",
      handle: async () => Response.json(await queues(models, metrics)),
    },
  ];
  if (options.page !== false) {
    routes.push(
      {
        method: "GET",
        path: "/ui/feed",
        handle: (exchange: Exchange) => feedOf(looked(models, exchange.url)).route.handle(exchange),
      } as typeof routes[number],
    );
  }
  return {
    observer: observersOf(metrics, options),
    routes,
    close: () => feeds.values().forEach((feed) => feed.close()),
  };
}

/** The model that somebody looks at, if it is in memory, else the one that was used last. Throws an ApiError. */
function looked(models: SharedModels, url: URL): string {
  const asked = url.searchParams.get("model");
  const name = asked !== null && models.hostOf(asked) !== null ? asked : models.lastUsed;
  if (name !== undefined) return name;
  throw new ApiError(503, "No model is in memory: one is loaded when it is asked for", {
    code: "unloaded",
    retryAfterMs: 2000,
  });
}

/** `/v1/queue`: the models that are in memory, each as a server with one tells of it, and all together. */
async function queues(models: SharedModels, metrics: SharedMetrics) {
  const reports = await Promise.all(
    models.list().flatMap(({ name, state, host, waiting }) =>
      host?.loaded == null ? [] : [
        metrics.of(name).engineStats().then((stats) => ({
          model: name,
          state,
          waiting_for_model: waiting,
          ...queueReport(stats, host.loaded!.health()),
        })),
      ]
    ),
  );
  const workers = reports.flatMap(({ model, workers }): (QueueWorker & { model: string })[] =>
    workers.map((worker) => ({ model, ...worker }))
  );
  const waiting = models.list().reduce((sum, { waiting }) => sum + waiting, 0);
  return {
    ...sumQueues(reports),
    ready: models.readiness().ready,
    waiting_for_models: waiting,
    workers,
    models: reports.map(({ object: _, ...report }) => report),
  };
}
