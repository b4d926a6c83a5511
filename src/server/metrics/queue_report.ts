import type { Health, ModelStats } from "../../client/client.ts";
import type { ClassFigures } from "../../protocol/stats.ts";

/** A class in `/v1/queue`, of all workers together. */
export interface QueueClass {
  name: string;
  running: number;
  waiting: number;
  /** Tokens of the waiting requests' prompts. */
  waiting_tokens: number;
  accepted: number;
  refused: number;
  failed: number;
  /** By why they ended. */
  finished: Record<string, number>;
}

/** What of a class's figures is added up. */
type Summable =
  & Pick<ClassFigures, "running" | "waiting" | "waitingTokens" | "accepted" | "refused" | "failed">
  & { finished: Readonly<Record<string, number>> };

/** A worker in `/v1/queue`. The figures are absent where it cannot tell. */
export interface QueueWorker {
  worker: number;
  state: string;
  running?: number;
  waiting?: number;
  /** From 0 to 1. */
  kv_usage?: number;
  preemptions?: number;
}

/** What `/v1/queue` answers. */
export interface QueueReport {
  object: "queue";
  ready: boolean;
  /** Requests that have not ended, on their way to workers included. */
  pending: number;
  restarts: number;
  classes: QueueClass[];
  workers: QueueWorker[];
}

/** Who waits for what, from the figures of this moment; `stats` is null where no worker has told yet. */
export function queueReport(stats: ModelStats | null, health: Health): QueueReport {
  const workers = stats?.workers ?? [];
  const names = [...new Set(workers.flatMap(({ classes }) => classes.map(({ name }) => name)))];
  const figuresOf = (name: string) =>
    workers.flatMap(({ classes }) => classes.filter((each) => each.name === name));
  return {
    object: "queue",
    ready: health.ready,
    pending: stats?.pending ?? 0,
    restarts: health.restarts,
    classes: names.map((name) => sumClass(name, figuresOf(name))),
    workers: health.workers.map(({ state }, worker) => {
      const figures = workers.find((each) => each.worker === worker);
      if (figures === undefined) return { worker, state };
      const { classes, kv, preemptions } = figures;
      return {
        worker,
        state,
        running: sum(classes, ({ running }) => running),
        waiting: sum(classes, ({ waiting }) => waiting),
        kv_usage: (kv.allocatedBytes - kv.cachedBytes) / kv.reservedBytes,
        preemptions,
      };
    }),
  };
}

/** Several models' reports as one, without their workers. */
export function sumQueues(reports: readonly QueueReport[]): Omit<QueueReport, "workers" | "ready"> {
  const names = [...new Set(reports.flatMap(({ classes }) => classes.map(({ name }) => name)))];
  const add = (read: (report: QueueReport) => number) => sum(reports, read);
  return {
    object: "queue",
    pending: add(({ pending }) => pending),
    restarts: add(({ restarts }) => restarts),
    classes: names.map((name) => {
      const own = reports.flatMap(({ classes }) => classes.filter((each) => each.name === name));
      return sumClass(
        name,
        own.map(({ waiting_tokens: waitingTokens, ...each }) => ({ ...each, waitingTokens })),
      );
    }),
  };
}

function sumClass(name: string, figures: readonly Summable[]): QueueClass {
  const finished: Record<string, number> = {};
  for (const each of figures) {
    for (const [reason, count] of Object.entries(each.finished)) {
      finished[reason] = (finished[reason] ?? 0) + count;
    }
  }
  return {
    name,
    running: sum(figures, ({ running }) => running),
    waiting: sum(figures, ({ waiting }) => waiting),
    waiting_tokens: sum(figures, ({ waitingTokens }) => waitingTokens),
    accepted: sum(figures, ({ accepted }) => accepted),
    refused: sum(figures, ({ refused }) => refused),
    failed: sum(figures, ({ failed }) => failed),
    finished,
  };
}

function sum<T>(items: readonly T[], read: (item: T) => number): number {
  return items.reduce((total, item) => total + read(item), 0);
}
