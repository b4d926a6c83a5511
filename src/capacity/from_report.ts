/** A plan of what a trial has measured. @module */

import { checkClasses, DEFAULT_CLASSES, type LatencyClass } from "../../scheduler/mod.ts";
import type { Arrival } from "../loadtest/arrivals.ts";
import type { Objectives } from "../loadtest/summary.ts";
import { isWithin, keptShare } from "../traffic/prompt_limit.ts";
import { playTraffic } from "../traffic/play.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { type CapacityPlan, planCapacity, type PlanInput } from "./plan.ts";
import { configuredClasses, type Peaks, type PlanReport, ReportError } from "./plan_report.ts";
import {
  bandwidthByThreads,
  type MachineSpeed,
  onMachine,
  type StepModel,
  withWorkers,
} from "./step_model.ts";

/** What is planned that is not as the trial had it. */
export interface PlanChanges {
  /** Workers and threads of each; default: the trial's. */
  readonly workers?: number;
  readonly threads?: number;
  /** Another machine. */
  readonly machine?: OtherMachine;
  /** Most requests of a simulated load. Default 2000. */
  readonly requestsMax?: number;
  readonly seed?: number;
}

/** A machine that the trial did not run on. */
export interface OtherMachine extends MachineSpeed {
  /** Whether the figures were measured there with `kumi bench`, or come from a data sheet. */
  readonly from: "bench" | "data sheet";
}

/** A plan, and what it rests on. */
export interface ReportPlan extends CapacityPlan {
  /** Requests per second of the traffic at 1×. */
  readonly baseRequestsPerSecond: number;
  /** Whether that is the traffic's own rate, or, of traffic without one, what the machine of the trial carried. */
  readonly baseFrom: "traffic" | "highest load";
  /** The highest load that the trial has measured on its machine, times the traffic's own; null where it found none. */
  readonly measuredLoad: number | null;
  readonly workers: number;
  readonly threads: number;
  /** "this machine", or where the other one's figures come from. */
  readonly machine: "measured" | OtherMachine["from"];
}

const REQUESTS_MAX = 2000;
/** Fewer requests say too little of a small load. */
const REQUESTS_MIN = 300;

/** Plans for loads in times of the traffic's own. Throws a ReportError where the report lacks what that takes. */
export function planFromReport(
  report: PlanReport,
  loads: readonly number[],
  changes: PlanChanges = {},
): ReportPlan {
  const { input, base, layout } = inputOf(report, changes);
  const carried = report.chosen?.highestLoad?.requestsPerSecond ?? null;
  return {
    ...planCapacity(input, loads),
    baseRequestsPerSecond: base.perSecond,
    baseFrom: base.from,
    measuredLoad: carried === null ? null : carried / base.perSecond,
    ...layout,
    machine: changes.machine?.from ?? "measured",
  };
}

/** What a report says of traffic, server and objectives. Throws a ReportError where it lacks something. */
export function inputOf(report: PlanReport, changes: PlanChanges = {}) {
  const { seed = 1, machine } = changes;
  const settings = report.stepModel!.settings;
  const layout = {
    workers: changes.workers ?? settings.workers,
    threads: changes.threads ?? settings.threads,
  };
  const { traffic, base } = trafficOf(report);
  const input: PlanInput = {
    arrivalsAt: (load) => arrivalsAt(traffic, load, report, changes.requestsMax ?? REQUESTS_MAX, seed),
    server: {
      step: stepModelOf(report, layout, machine),
      workers: layout.workers,
      classes: classesOf(report),
      batchTokensMax: settings.batchTokens,
      sequencesMax: settings.sequencesMax,
      kvTokens: settings.kvTokens,
      prefixCache: settings.prefixCache,
      seed,
    },
    objectives: objectivesOf(report),
    share: report.objectives.share,
  };
  return { input, base, layout };
}

/** The traffic at its own rate: what is kept of it is a sample, whose times are drawn together. */
function trafficOf({ traffic, chosen, model }: PlanReport) {
  const { classes, blockTokens, promptLimits = [] } = traffic;
  // What the trial has found too long is not for this machine, nor for more of them.
  const sample = traffic.sample.filter(({ cls, prompt }) =>
    isWithin(
      { class: classes[cls].class, promptTokens: Math.min(prompt, model.contextLength) },
      promptLimits,
    )
  );
  const first = sample[0].at, last = sample[sample.length - 1].at;
  const carried = chosen?.highestLoad?.requestsPerSecond ?? null;
  const sampleRate = 1000 * (sample.length - 1) / Math.max(1, last - first);
  const base = traffic.requestsPerSecond !== null
    ? { perSecond: traffic.requestsPerSecond * keptShare(promptLimits), from: "traffic" as const }
    : { perSecond: carried ?? sampleRate, from: "highest load" as const };
  const stretch = sampleRate / base.perSecond;
  const requests = sample.map(({ at, cls, prompt, answer, blocks }) => ({
    atMs: (at - first) * stretch,
    class: classes[cls].class,
    promptTokens: prompt,
    answerTokens: answer,
    ...blocks === undefined || blocks.length === 0 ? {} : { blocks },
  }));
  const whole: Traffic = { format: "kumi", blockTokens, requests, refused: 0, skipped: [] };
  return { traffic: whole, base };
}

/**
 * More load is more users, less load fewer, as long as the number of requests is good for a simulation;
 * beyond that the same requests come faster, or more slowly.
 */
function arrivalsAt(
  traffic: Traffic,
  load: number,
  { model: { contextLength } }: PlanReport,
  requestsMax: number,
  seed: number,
): readonly Arrival[] {
  const times = (requests: number) => requests / traffic.requests.length;
  const users = Math.min(Math.max(load, Math.min(1, times(REQUESTS_MIN))), Math.max(1, times(requestsMax)));
  const arrivals = playTraffic(traffic, { users, speed: load / users, seed, classes: [] });
  return arrivals.slice(0, requestsMax).map((arrival) => {
    const promptTokens = Math.min(arrival.promptTokens, contextLength - 1);
    return { ...arrival, promptTokens, maxTokens: Math.min(arrival.maxTokens, contextLength - promptTokens) };
  });
}

function classesOf(report: PlanReport): readonly LatencyClass[] {
  const classes = configuredClasses(report) ?? DEFAULT_CLASSES;
  checkClasses(classes);
  const names = new Set(classes.map(({ name }) => name));
  const unknown = report.traffic.classes.find((each) => !names.has(each.class));
  if (unknown === undefined) return classes;
  throw new ReportError(
    `The report's traffic has the class "${unknown.class}", its configuration has ${[...names].join(", ")}`,
  );
}

function objectivesOf({ objectives }: PlanReport): ReadonlyMap<string, Objectives> {
  return new Map(objectives.classes.map(({ class: name, ttftMs, itlMs, itlStat }) => [
    name,
    { ttftMs: ttftMs ?? undefined, itlMs: itlMs ?? undefined, itlStat },
  ]));
}

function stepModelOf(
  { stepModel, machine }: PlanReport,
  to: { workers: number; threads: number },
  other: OtherMachine | undefined,
): StepModel {
  const { settings, requestOverheadMs, tokenOverheadMs, ...rest } = stepModel!;
  const here: StepModel = { ...rest, requestMs: requestOverheadMs, tokenMs: tokenOverheadMs };
  const isSame = to.workers === settings.workers && to.threads === settings.threads;
  const read = bandwidthByThreads(machine.readGBpsByThreads, machine.readGBps);
  if (!isSame && read === null) {
    throw new ReportError("The report has no read bandwidth, without which other workers cannot be planned");
  }
  const model = isSame ? here : withWorkers(
    here,
    rest,
    { workers: settings.workers, threadsPerWorker: settings.threads },
    { workers: to.workers, threadsPerWorker: to.threads },
    read!,
  );
  if (other === undefined) return model;
  if (machine.readGBps === null || machine.peakGmacps === null) {
    throw new ReportError(
      "The report has no read bandwidth and no peaks of its machine, to which another could be compared",
    );
  }
  const from = { readGBps: machine.readGBps, peakGmacps: highest(machine.peakGmacps) };
  return onMachine(model, rest, from, other);
}

/** The peak that is quoted for a machine: of the arithmetic at which it is fastest. */
export function highest({ int8, bf16, float }: Peaks): number {
  return Math.max(int8, bf16, float);
}
