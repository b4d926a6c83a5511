/** How many machines a load takes, and what its requests would see. @module */

import type { Arrival } from "../loadtest/arrivals.ts";
import { isGood, type Objectives } from "../loadtest/summary.ts";
import type { RequestRecord } from "../loadtest/send.ts";
import { type PredictedClass, predictedClasses, type Prediction, predictionOf } from "./prediction.ts";
import { simulate, type SimulatedServer } from "./simulate.ts";

/** What is planned for. */
export interface PlanInput {
  /** The traffic at so many times its own load, as requests to one machine. */
  readonly arrivalsAt: (load: number) => readonly Arrival[];
  readonly server: SimulatedServer;
  /** What a good answer of a class keeps; classes without an entry need only be answered. */
  readonly objectives: ReadonlyMap<string, Objectives>;
  /** Share of each class's requests that must be good. */
  readonly share: number;
}

/** A load and what carries it. */
export interface LoadPlan {
  /** Times the traffic's own rate. */
  readonly load: number;
  /** Machines that carry it within the objectives; null: no number does. */
  readonly machines: number | null;
  /** Of the load spread over so many machines, or of one alone where no number would do. */
  readonly prediction: Prediction;
  readonly classes: readonly PredictedClass[];
}

/** A plan for several loads. */
export interface CapacityPlan {
  /** The highest load that one machine carries, times the traffic's own; null: not even a small part of it. */
  readonly perMachineLoad: number | null;
  readonly loads: readonly LoadPlan[];
}

/** Two loads between which the highest lies are so near in the end. */
const PRECISION = 1.04;
/** Beyond these no load is tried. */
const LOAD_MIN = 1 / 1024, LOAD_MAX = 4096;
const UNLIMITED: Objectives = { itlStat: "mean" };

/**
 * Plans for loads in times of the traffic's own. Machines are alike, and a balancer sends each request to any
 * of them: each has its share of the requests, drawn at random.
 */
export function planCapacity(input: PlanInput, loads: readonly number[]): CapacityPlan {
  const perMachineLoad = highestLoad(input);
  return {
    perMachineLoad,
    loads: loads.map((load) => {
      const machines = perMachineLoad === null ? null : Math.ceil(load / perMachineLoad - 1e-9);
      const records = run(input, load / (machines ?? 1));
      const isGoodRecord = (record: RequestRecord) => isGood(record, objectivesOf(input, record.class));
      return {
        load,
        machines,
        prediction: predictionOf(records, isGoodRecord, machines ?? 1),
        classes: predictedClasses(records, isGoodRecord),
      };
    }),
  };
}

/** The highest load of one machine at which each class has its share of good answers. */
function highestLoad(input: PlanInput): number | null {
  let low: number | null = null, high: number | null = null;
  let load = 1;
  while (low === null || high === null) {
    if (carries(input, load)) {
      low = load;
      if (load >= LOAD_MAX) return low;
      load = high === null ? load * 2 : load;
    } else {
      high = load;
      if (load <= LOAD_MIN) return null;
      load = low === null ? load / 2 : load;
    }
  }
  while (high / low > PRECISION) {
    const middle = Math.sqrt(low * high);
    if (carries(input, middle)) low = middle;
    else high = middle;
  }
  return low;
}

function carries(input: PlanInput, load: number): boolean {
  const records = run(input, load);
  const counts = new Map<string, { all: number; good: number }>();
  for (const record of records) {
    const count = counts.get(record.class) ?? { all: 0, good: 0 };
    counts.set(record.class, count);
    count.all++;
    if (isGood(record, objectivesOf(input, record.class))) count.good++;
  }
  return counts.values().every(({ all, good }) => good >= input.share * all);
}

/** What a good answer of a class keeps. */
export function objectivesOf({ objectives }: Pick<PlanInput, "objectives">, name: string): Objectives {
  return objectives.get(name) ?? UNLIMITED;
}

function run({ arrivalsAt, server }: PlanInput, load: number): RequestRecord[] {
  const arrivals = arrivalsAt(load);
  if (arrivals.length === 0) {
    throw new RangeError(`No request is left of the traffic at ${load} times its load`);
  }
  return simulate(arrivals, server);
}
