/** Hello and frames, made of what server and engine count. @module */

import process from "node:process";
import type { Health, ModelStats, WorkerStats } from "../../client/client.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import type { FeedClass, FeedFrame, FeedHello, FeedUpstream, FeedWorker } from "../../ui/feed.ts";
import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { Model } from "../../client/model.ts";
import type { UpstreamFigures } from "../../routing/upstream_state.ts";
import type { EnergyFigures } from "../energy.ts";
import type { RequestMetrics } from "../metrics/request_metrics.ts";
import type { ConnectionFigures } from "../metrics/server_metrics.ts";

/** What a feed is made of. */
export interface FeedOptions {
  readonly modelName: string;
  /** Whether it comes and goes. */
  readonly isShared?: boolean;
  /** The engine's. */
  readonly classes: readonly LatencyClass[];
  /** The model; null while it is not there. */
  readonly source: () => Pick<Model, "stats" | "health" | "info"> | null;
  readonly requests: RequestMetrics;
  readonly connections?: () => ConnectionFigures | undefined;
  readonly energy?: () => EnergyFigures | undefined;
  /** Other servers that answer requests. */
  readonly upstreams?: () => readonly UpstreamFigures[];
}

export function helloOf({ modelName, classes, requests }: FeedOptions, info: ModelInfo): FeedHello {
  const { ttft, itl } = requests.figuresOf(classes[0].name);
  return {
    type: "hello",
    model: modelName,
    isa: info.isa,
    threads: info.threads,
    contextLength: info.contextLength,
    classes: classes.toSorted((a, b) => b.priority - a.priority).map(({ name, ttftSloMs, itlSloMs }) => ({
      name,
      ttftSloMs,
      itlSloMs,
    })),
    ttftBounds: ttft.bounds,
    itlBounds: itl.bounds,
  };
}

export function frameOf(options: FeedOptions, stats: ModelStats, health: Health): FeedFrame {
  const { user, system } = process.cpuUsage();
  const names = [...new Set(stats.workers.flatMap(({ classes }) => classes.map(({ name }) => name)))];
  return {
    type: "frame",
    at: Date.now(),
    ready: health.ready,
    restarts: stats.restarts,
    pending: stats.pending,
    connections: options.connections?.()?.open,
    joules: options.energy?.()?.joules,
    residentBytes: Deno.memoryUsage().rss,
    cpuSeconds: (user + system) / 1e6,
    classes: names.map((name) => classOf(name, options, stats.workers)),
    workers: health.workers.map(({ state }, worker) =>
      workerOf(worker, state, stats.workers.find((each) => each.worker === worker))
    ),
    upstreams: options.upstreams?.().map(upstreamOf),
  };
}

function classOf(name: string, { requests }: FeedOptions, workers: readonly WorkerStats[]): FeedClass {
  const own = workers.flatMap(({ classes }) => classes.filter((each) => each.name === name));
  const sum = (read: (each: typeof own[number]) => number) =>
    own.reduce((total, each) => total + read(each), 0);
  const { ttft, itl, generatedTokens } = requests.figuresOf(name);
  return {
    name,
    running: sum(({ running }) => running),
    waiting: sum(({ waiting }) => waiting),
    waitingTokens: sum(({ waitingTokens }) => waitingTokens),
    refused: sum(({ refused }) => refused),
    generatedTokens,
    prefillTokens: sum(({ work }) => work.prefillTokens),
    decodeTokens: sum(({ work }) => work.decodeTokens),
    ttft: ttft.counts,
    itl: itl.counts,
  };
}

function upstreamOf({ name, running, breaker, isHealthy, spent }: UpstreamFigures): FeedUpstream {
  const states = { closed: "up", open: "down", "half-open": "tried" } as const;
  const state = isHealthy ? states[breaker] : "down";
  return { name, running, state, spentHour: spent.lastHour, spentDay: spent.lastDay };
}

function workerOf(worker: number, state: string, stats: WorkerStats | undefined): FeedWorker {
  if (stats?.view === undefined) return { worker, state };
  const { steps, preemptions, promptTokens, cachedTokens, view, kv } = stats;
  const { blockTokens, reservedBytes, committedBytes, allocatedBytes, cachedBytes } = kv;
  return {
    worker,
    state,
    engine: {
      ...{ steps, preemptions, promptTokens, cachedTokens },
      step: view.step,
      waiting: view.waiting,
      kv: { stretches: view.kv, blockTokens, reservedBytes, committedBytes, allocatedBytes, cachedBytes },
    },
  };
}
