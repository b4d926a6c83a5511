/** What a machine takes for its steps, and what it would take if it were another. @module */

import { scaledTokenTime, type TokenTime } from "../protocol/token_time.ts";

/** How long an engine worker's steps take, and what the server adds. All in ms. */
export interface StepModel extends TokenTime {
  /** A step takes `fixedMs + tokensMs(…, tokens) + msPerKvEntry · attended tokens + msPerRow · tokens chosen`. */
  readonly fixedMs: number;
  readonly msPerKvEntry: number;
  /** Default 0. */
  readonly msPerRow?: number;
  /** Typical error of that for one step, as a share. */
  readonly relativeError: number;
  /** So many times as long do many steps together take: some take much longer. Default 1. */
  readonly stretch?: number;
  /** Between two steps: so many, and so many for each sequence. Default 0. */
  readonly betweenMs?: number;
  readonly betweenMsPerSequence?: number;
  /** From a request's sending until the engine has it, and from a token until its reader does. */
  readonly requestMs: number;
  readonly tokenMs: number;
}

/** The part of a machine that steps depend on. */
export interface MachineSpeed {
  /** GB/s that all its threads together read. */
  readonly readGBps: number;
  /** 10⁹ multiply-adds a second of all its threads, in the arithmetic of the weights. */
  readonly peakGmacps: number;
}

/** What a model asks of a machine for a step. */
export interface StepNeeds {
  /** Bytes of weights that a step reads whatever is in it. */
  readonly matrixBytes: number;
}

/**
 * The same server on another machine. Reading the weights and the KV cache takes as much longer as the memory
 * is slower, multiplying as much as the processors are; what is left of a step's fixed time, and what the
 * server does around steps, is taken to stay. That is a forecast from two figures: good for choosing what to
 * try, not for a promise.
 */
export function onMachine(
  model: StepModel,
  { matrixBytes }: StepNeeds,
  from: MachineSpeed,
  to: MachineSpeed,
): StepModel {
  const memory = from.readGBps / to.readGBps, cores = from.peakGmacps / to.peakGmacps;
  const { readMs, restMs } = fixedParts(model, matrixBytes, from.readGBps);
  return {
    ...model,
    fixedMs: readMs * memory + restMs,
    ...scaledTokenTime(model, cores),
    msPerRow: (model.msPerRow ?? 0) * cores,
    msPerKvEntry: model.msPerKvEntry * memory,
  };
}

/** How an engine is divided into workers. */
export interface WorkerLayout {
  readonly workers: number;
  readonly threadsPerWorker: number;
}

/**
 * The same machine with other workers. Each of them multiplies with its own threads; all of them read from one
 * memory. `readGBps`: what so many threads read together.
 */
export function withWorkers(
  model: StepModel,
  { matrixBytes }: StepNeeds,
  from: WorkerLayout,
  to: WorkerLayout,
  readGBps: (threads: number) => number,
): StepModel {
  const each = ({ workers, threadsPerWorker }: WorkerLayout) =>
    readGBps(workers * threadsPerWorker) / workers;
  const memory = each(from) / each(to), cores = from.threadsPerWorker / to.threadsPerWorker;
  const { readMs, restMs } = fixedParts(model, matrixBytes, each(from));
  return {
    ...model,
    fixedMs: readMs * memory + restMs,
    ...scaledTokenTime(model, cores),
    msPerRow: (model.msPerRow ?? 0) * cores,
    msPerKvEntry: model.msPerKvEntry * Math.max(memory, cores),
  };
}

function fixedParts({ fixedMs }: StepModel, matrixBytes: number, readGBps: number) {
  const readMs = Math.min(fixedMs, matrixBytes / (readGBps * 1e6));
  return { readMs, restMs: fixedMs - readMs };
}

/** GB/s by threads from a few measured counts: lines between them, as the nearest beyond. */
export function bandwidthByThreads(
  measured: Readonly<Record<string, number>>,
  all: number | null,
): ((threads: number) => number) | null {
  const points = Object.entries(measured).map(([threads, value]) => [Number(threads), value] as const)
    .filter(([threads, value]) => threads > 0 && value > 0).sort((a, b) => a[0] - b[0]);
  if (points.length === 0) return all === null ? null : () => all;
  return (threads) => {
    const above = points.findIndex(([count]) => count >= threads);
    if (above === 0) return points[0][1] * threads / points[0][0];
    if (above < 0) return points[points.length - 1][1];
    const [[x0, y0], [x1, y1]] = [points[above - 1], points[above]];
    return y0 + (y1 - y0) * (threads - x0) / (x1 - x0);
  };
}
