/** The points that a trial may choose from. @module */

import type { PointSettings } from "./report_data.ts";

/** What decides which values each setting may have. */
export interface GridBasis {
  /** Threads that the process should use at most. */
  readonly usableCpus: number;
  /** CPUs of each memory node as lists such as "0-3"; one entry on ordinary machines. */
  readonly nodeCpus: readonly string[];
  /** Formats of the KV cache that the model's heads allow, the default first. */
  readonly kvFormats: readonly string[];
  /** Whether some class can wait for company. */
  readonly hasPatient: boolean;
  /** Longest request in tokens, and the model's context. */
  readonly contextLength: number;
  /** Bytes that the KV caches of all workers may take. */
  readonly kvBytesMax: number;
  readonly kvBytesPerToken: number;
}

/** Workers and their threads, and where they run. */
export type Placement = Pick<PointSettings, "workers" | "threads" | "cpus">;

/** Values of each dimension; the grid is their product. */
export interface Dimensions {
  readonly placement: readonly Placement[];
  readonly sequencesMax: readonly number[];
  readonly batchTokens: readonly number[];
  readonly maxWaitMs: readonly number[];
  readonly kvFormat: readonly string[];
  readonly prefixCache: readonly boolean[];
}

/** A point and its place in the grid. */
export interface GridPoint {
  readonly id: number;
  readonly settings: PointSettings;
}

/** What kumi does where nobody sets anything. */
const DEFAULTS = { sequencesMax: 32, batchTokens: 512, maxWaitMs: 2000, prefixCache: true, kvTokens: 16_384 };
const WORKERS_MAX = 8;

/** The values that are worth trying on a machine with a model. */
export function dimensionsFor(basis: GridBasis): Dimensions {
  return {
    placement: placements(basis),
    sequencesMax: [4, 8, 16, 32, 64],
    batchTokens: [64, 128, 256, 512, 1024],
    // Nobody waits for company where nobody is patient.
    maxWaitMs: basis.hasPatient ? [0, 500, DEFAULTS.maxWaitMs] : [DEFAULTS.maxWaitMs],
    kvFormat: basis.kvFormats,
    prefixCache: [true, false],
  };
}

/** All threads in one worker, halves and quarters of them in several, one core left free, a single node. */
function placements({ usableCpus, nodeCpus }: GridBasis): Placement[] {
  const found: Placement[] = [];
  const add = (workers: number, threads: number, cpus: string | null = null) => {
    if (threads < 1 || found.some((each) => isSamePlacement(each, { workers, threads, cpus }))) return;
    found.push({ workers, threads, cpus });
  };
  const nodes = nodeCpus.length;
  add(nodes, Math.floor(usableCpus / nodes));
  add(1, usableCpus);
  for (let workers = 2; workers <= Math.min(WORKERS_MAX, usableCpus); workers *= 2) {
    add(workers, Math.floor(usableCpus / workers));
  }
  if (usableCpus > 1) add(1, usableCpus - 1);
  if (usableCpus >= 8) add(1, usableCpus / 2 | 0);
  if (nodes > 1) add(1, Math.floor(usableCpus / nodes), nodeCpus[0]);
  return found;
}

function isSamePlacement(a: Placement, b: Placement): boolean {
  return a.workers === b.workers && a.threads === b.threads && a.cpus === b.cpus;
}

/** All points, in an order that only the dimensions decide. The KV cache has what memory gives each worker. */
export function gridPoints(dimensions: Dimensions, basis: GridBasis): GridPoint[] {
  const points: GridPoint[] = [];
  for (const placement of dimensions.placement) {
    for (const sequencesMax of dimensions.sequencesMax) {
      for (const batchTokens of dimensions.batchTokens) {
        for (const maxWaitMs of dimensions.maxWaitMs) {
          for (const kvFormat of dimensions.kvFormat) {
            for (const prefixCache of dimensions.prefixCache) {
              const kvTokens = kvTokensFor(sequencesMax, placement.workers, basis);
              points.push({
                id: points.length,
                settings: {
                  ...placement,
                  sequencesMax,
                  batchTokens,
                  maxWaitMs,
                  kvFormat,
                  kvTokens,
                  prefixCache,
                },
              });
            }
          }
        }
      }
    }
  }
  return points;
}

/** Room for every sequence of a batch at a common length, for one of the longest at least, within the memory. */
function kvTokensFor(sequencesMax: number, workers: number, basis: GridBasis): number {
  const { contextLength, kvBytesMax, kvBytesPerToken } = basis;
  const wanted = Math.max(DEFAULTS.kvTokens, contextLength, sequencesMax * Math.min(contextLength, 1024));
  const fits = Math.floor(kvBytesMax / workers / kvBytesPerToken);
  // Whole blocks of any size that there is.
  return Math.max(16, Math.floor(Math.min(wanted, fits) / 64) * 64);
}

/** The point with kumi's own defaults. */
export function defaultPoint(points: readonly GridPoint[]): GridPoint {
  const { sequencesMax, batchTokens, maxWaitMs, prefixCache } = DEFAULTS;
  return points.find(({ settings }) =>
    settings.sequencesMax === sequencesMax && settings.batchTokens === batchTokens &&
    settings.maxWaitMs === maxWaitMs && settings.prefixCache === prefixCache
  ) ?? points[0];
}
