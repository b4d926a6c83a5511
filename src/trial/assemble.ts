/** Puts a report together from what a trial found. @module */

import { keptShare } from "../traffic/prompt_limit.ts";
import { isPatient } from "./objectives.ts";
import { perToken } from "../energy/attribution.ts";
import { countedEnergy, type MeasuredEnergy } from "../energy/joules.ts";
import { estimateEnergy } from "../energy/tdp.ts";
import {
  TRIAL_REPORT_VERSION,
  type TrialEnergy,
  type TrialNote,
  type TrialReport,
  type TrialStepModel,
} from "./report_data.ts";
import { tokensMs } from "../protocol/token_time.ts";
import type { TrialOutcome } from "./trial.ts";
import { verdictOf } from "./verdict.ts";

/** All that a report is made of. */
export interface ReportParts extends
  Pick<
    TrialReport,
    | "kumiVersion"
    | "startedAt"
    | "endedAt"
    | "budgetMinutes"
    | "usedMinutes"
    | "resumed"
    | "command"
    | "seed"
    | "machine"
    | "model"
    | "traffic"
    | "objectives"
    | "quality"
    | "alternatives"
  > {
  readonly isRandom: boolean;
  readonly matrixBytes: number;
  readonly macsPerToken: number;
  /** Share of the traffic's requests that the model's context cuts. */
  readonly cutShare: number;
  readonly outcome: TrialOutcome;
  /** What a meter outside of the machine counted during the run at the highest load. */
  readonly metered: MeasuredEnergy | null;
  readonly tdp: { readonly watts: number; readonly from: string } | null;
  readonly notMeasuredBecause: string | null;
  readonly hasPrices: boolean;
}

/** Percentiles of fewer requests say little. */
const FEW_REQUESTS = 50;
const LATE_MS = 20;
const BUSY = 0.5;

/** The report, but for costs and predictions. */
export function assembleReport(parts: ReportParts): TrialReport {
  const { outcome, objectives, quality } = parts;
  const traffic = { ...parts.traffic, promptLimits: outcome.promptLimits };
  const energy = energyOf(parts);
  const wasShort = outcome.missed > 0 || outcome.search.measuredPoints < 2;
  return {
    trialReport: TRIAL_REPORT_VERSION,
    kumiVersion: parts.kumiVersion,
    startedAt: parts.startedAt,
    endedAt: parts.endedAt,
    budgetMinutes: parts.budgetMinutes,
    usedMinutes: parts.usedMinutes,
    resumed: parts.resumed,
    command: parts.command,
    seed: parts.seed,
    machine: parts.machine,
    model: { ...parts.model, loadSeconds: outcome.sounding.loadSeconds },
    traffic,
    objectives,
    search: outcome.search,
    chosen: outcome.chosen,
    noise: outcome.noise,
    energy,
    quality,
    alternatives: parts.alternatives,
    cost: null,
    stepModel: stepModelOf(parts),
    predictions: [],
    verdict: verdictOf({
      chosen: outcome.chosen,
      objectives,
      traffic,
      noise: outcome.noise,
      energy,
      quality,
      hasPrices: parts.hasPrices,
      wasShort,
    }),
    notes: notesOf(parts, energy, wasShort),
  };
}

/** What the request that was alone took beyond the steps that the engine's own model gives it is the server's. */
function stepModelOf({ outcome, matrixBytes, macsPerToken }: ReportParts): TrialStepModel | null {
  const { step, chosen, sounding } = outcome;
  if (step === null || chosen === null) return null;
  const { ttftMs, itlMs, promptTokens } = sounding;
  const alone = sounding.step ?? step;
  const steps = Math.ceil(promptTokens / chosen.settings.batchTokens);
  return {
    ...step,
    settings: chosen.settings,
    requestOverheadMs: Math.max(0, ttftMs - steps * alone.fixedMs - tokensMs(alone, promptTokens)),
    tokenOverheadMs: Math.max(
      0,
      itlMs - alone.fixedMs - tokensMs(alone, 1) - alone.msPerRow - alone.betweenMs -
        alone.betweenMsPerSequence,
    ),
    matrixBytes,
    macsPerToken,
  };
}

/** What was counted, by the machine or by a meter; else an estimate under other names; else why there is none. */
function energyOf({ outcome, tdp, metered, notMeasuredBecause }: ReportParts): TrialEnergy {
  const { result, sounding } = outcome;
  const measures = result?.measures ?? null;
  if (result === null || measures === null) {
    return { measured: null, estimated: null, notMeasuredBecause: "nothing was measured under load" };
  }
  const { answerTokens } = measures.all;
  const counted = metered ?? result.energy;
  if (counted !== null) {
    const { kind: _, ...energy } = metered ?? withIdle(counted, sounding.idleWatts);
    return {
      measured: { ...energy, ...perToken(counted, result.work, answerTokens) },
      estimated: null,
      notMeasuredBecause: null,
    };
  }
  const because = notMeasuredBecause ?? "no energy counter was read";
  if (tdp === null || measures.cpuShare === null) {
    return { measured: null, estimated: null, notMeasuredBecause: because };
  }
  const { kind: _, ...estimate } = estimateEnergy(tdp, {
    utilisation: measures.cpuShare,
    seconds: measures.seconds,
  });
  const tokens = perToken({ kind: "estimated", ...estimate }, result.work, answerTokens);
  return { measured: null, estimated: { ...estimate, ...tokens }, notMeasuredBecause: because };
}

/** After an interruption the idle power is known only to the journal. */
function withIdle(energy: MeasuredEnergy, idleWatts: number | null): MeasuredEnergy {
  if (idleWatts === null || energy.idleWatts !== null) return energy;
  return countedEnergy({ ...energy, joules: energy.grossJoules, idleWatts });
}

function notesOf(parts: ReportParts, energy: TrialEnergy, wasShort: boolean): TrialNote[] {
  const { outcome, machine, traffic, cutShare, alternatives, quality, isRandom, objectives } = parts;
  const { noise, chosen, search, missed } = outcome;
  const notes: TrialNote[] = [];
  if (isRandom) notes.push({ note: "random weights" });
  if (noise.isNoisy) notes.push({ note: "noisy", spread: noise.throughputSpread ?? 0 });
  if ((machine.loadBefore ?? 0) > BUSY) notes.push({ note: "busy before", load: machine.loadBefore! });
  if (wasShort) {
    const measured = search.measuredPoints;
    notes.push({ note: "budget short", planned: measured + Math.max(1, missed), measured });
  }
  const waiting = objectives.classes.some((each) => !isPatient(each));
  const requests = chosen?.measures.all.requests ?? 0;
  if (waiting && requests < FEW_REQUESTS) notes.push({ note: "few requests", requests });
  const late = chosen?.measures.lagP99Ms ?? 0;
  if (late > LATE_MS) notes.push({ note: "generator late", p99Ms: late });
  if (traffic.source === "profile") notes.push({ note: "synthetic traffic", profile: traffic.name });
  const kept = keptShare(outcome.promptLimits);
  if (kept < 1) notes.push({ note: "long prompts left out", share: 1 - kept });
  if (cutShare > 0) notes.push({ note: "requests cut to the context", share: cutShare });
  if (machine.cpuQuota !== null) notes.push({ note: "container limits", cpuQuota: machine.cpuQuota });
  for (const { capped, url } of alternatives) if (capped) notes.push({ note: "spending cap reached", url });
  if (energy.estimated !== null) notes.push({ note: "energy estimated" });
  else if (energy.measured === null) {
    notes.push({ note: "energy not measured", why: energy.notMeasuredBecause ?? "" });
  }
  if (quality === null) notes.push({ note: "quality not tested" });
  return notes;
}
