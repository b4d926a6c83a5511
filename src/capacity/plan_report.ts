/** What a plan needs of a trial's report. Structural: any report that has it will do. @module */

import type { TokenBend } from "../protocol/token_time.ts";
import type { PromptBound } from "../traffic/prompt_limit.ts";
import { type LatencyClass } from "../../scheduler/mod.ts";

/** The parts of `report.json` that are read. */
export interface PlanReport {
  readonly machine: {
    readonly processor: string | null;
    readonly readGBps: number | null;
    readonly readGBpsByThreads: Readonly<Record<string, number>>;
    readonly peakGmacps: Peaks | null;
  };
  readonly model: { readonly contextLength: number };
  readonly traffic: {
    readonly requestsPerSecond: number | null;
    readonly classes: readonly { readonly class: string }[];
    readonly sample: readonly {
      readonly at: number;
      readonly cls: number;
      readonly prompt: number;
      readonly answer: number;
      readonly blocks?: readonly number[];
    }[];
    readonly blockTokens: number;
    /** Prompts that the trial has left out; none in reports of older versions. */
    readonly promptLimits?: readonly PromptBound[];
  };
  readonly objectives: {
    readonly classes: readonly {
      readonly class: string;
      readonly ttftMs: number | null;
      readonly itlMs: number | null;
      readonly itlStat: "mean" | "p95";
    }[];
    readonly share: number;
  };
  readonly chosen: {
    readonly config: { readonly classes?: unknown };
    readonly highestLoad?: { readonly requestsPerSecond: number | null };
  } | null;
  readonly stepModel: ReportStepModel | null;
}

/** 10⁹ multiply-adds a second, by the arithmetic of the weights. */
export interface Peaks {
  readonly int8: number;
  readonly bf16: number;
  readonly float: number;
}

/** The step model of a report, and the settings under which it was fitted. */
export interface ReportStepModel {
  readonly fixedMs: number;
  readonly msPerToken: number;
  readonly bends?: readonly TokenBend[];
  readonly msPerKvEntry: number;
  readonly msPerRow?: number;
  readonly relativeError: number;
  readonly requestOverheadMs: number;
  readonly tokenOverheadMs: number;
  readonly stretch?: number;
  readonly betweenMs?: number;
  readonly betweenMsPerSequence?: number;
  readonly matrixBytes: number;
  readonly settings: {
    readonly workers: number;
    readonly threads: number;
    readonly sequencesMax: number;
    readonly batchTokens: number;
    readonly kvTokens: number;
    readonly prefixCache: boolean;
  };
}

/** A report that cannot be planned with; the message says why. */
export class ReportError extends Error {
  override readonly name = "ReportError";
}

const need = (is: boolean, what: string) => {
  if (!is) throw new ReportError(`The report ${what}: it is no report of kumi trial, or of another version`);
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isPositive = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value > 0;
const isAmount = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0;

const areBends = (value: unknown) =>
  Array.isArray(value) &&
  value.every((each) => isObject(each) && isPositive(each.upTo) && isAmount(each.msPerToken));

/** Checks what is read of a report. Throws a ReportError. */
export function readPlanReport(text: string): PlanReport {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ReportError(`The report is no JSON: ${(error as Error).message}`);
  }
  need(isObject(value) && value.trialReport === 1, "has no trialReport of 1");
  const report = value as unknown as PlanReport;
  const { machine, model, traffic, objectives, stepModel } = report;
  need([machine, model, traffic, objectives].every(isObject), "lacks machine, model, traffic or objectives");
  need(isPositive(model.contextLength), "has no model.contextLength");
  need(isObject(machine.readGBpsByThreads), "has no machine.readGBpsByThreads");
  need(isPositive(traffic.blockTokens) && Array.isArray(traffic.classes), "has no traffic.classes");
  need(Array.isArray(traffic.sample), "has no traffic.sample");
  const { promptLimits = [] } = traffic;
  need(
    Array.isArray(promptLimits) &&
      promptLimits.every((each) => isObject(each) && isAmount(each.tokens) && isAmount(each.share)),
    "has no whole traffic.promptLimits",
  );
  traffic.sample.forEach((each, i) => {
    const isWhole = isObject(each) && [each.at, each.prompt, each.answer].every(isAmount) &&
      traffic.classes[each.cls] !== undefined &&
      (each.blocks === undefined || Array.isArray(each.blocks) && each.blocks.every(Number.isSafeInteger));
    need(isWhole, `has no request at traffic.sample[${i}]`);
  });
  need(Array.isArray(objectives.classes) && isPositive(objectives.share), "has no objectives");
  if (stepModel === null || stepModel === undefined) {
    throw new ReportError("The report has no step model: its trial has measured no point that answered");
  }
  need(
    isObject(stepModel) && isObject(stepModel.settings) &&
      [stepModel.fixedMs, stepModel.msPerToken, stepModel.msPerKvEntry, stepModel.relativeError].every(
        isAmount,
      ) &&
      (stepModel.bends === undefined || areBends(stepModel.bends)) &&
      [stepModel.requestOverheadMs, stepModel.tokenOverheadMs, stepModel.matrixBytes].every(isAmount) &&
      ["workers", "threads", "sequencesMax", "batchTokens", "kvTokens"].every((name) =>
        isPositive((stepModel.settings as unknown as Record<string, unknown>)[name])
      ),
    "has no whole stepModel",
  );
  if (traffic.sample.length < 2) throw new ReportError("The report's traffic has fewer than two requests");
  return report;
}

/** The classes of the configuration that the trial wrote; undefined where it wrote none. */
export function configuredClasses({ chosen }: PlanReport): readonly LatencyClass[] | undefined {
  const classes = chosen?.config?.classes;
  return Array.isArray(classes) && classes.length > 0 ? classes as LatencyClass[] : undefined;
}
