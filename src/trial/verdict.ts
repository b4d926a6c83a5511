/** What the first page says. @module */

import { STOLEN } from "./noise.ts";
import { keptShare } from "../traffic/prompt_limit.ts";
import { isPatient } from "./objectives.ts";
import type {
  ChosenPoint,
  TrialAdvice,
  TrialEnergy,
  TrialNoise,
  TrialObjectives,
  TrialQuality,
  TrialTraffic,
  TrialVerdict,
} from "./report_data.ts";

/** What a verdict is made of. */
export interface VerdictBasis {
  readonly chosen: ChosenPoint | null;
  readonly objectives: TrialObjectives;
  readonly traffic: TrialTraffic;
  readonly noise: TrialNoise;
  readonly energy: TrialEnergy;
  readonly quality: TrialQuality | null;
  readonly hasPrices: boolean;
  /** Whether there was no time for what was planned. */
  readonly wasShort: boolean;
}

/**
 * "yes" where some load is carried; "partly" where that is of prompts up to a limit, or where none is, and a class alone keeps its objectives in the lowest
 * load that was tried; else "no".
 */
export function verdictOf(basis: VerdictBasis): TrialVerdict {
  const { chosen, objectives, traffic } = basis;
  const carried = chosen?.highestLoad.requestsPerSecond ?? null;
  const failing = chosen === null
    ? objectives.classes.map((each) => each.class)
    : chosen.measures.classes.filter(({ goodShare }) => (goodShare ?? 0) < objectives.share)
      .map((each) => each.class);
  const limits = traffic.promptLimits;
  const carries = carried !== null
    ? limits.length > 0 ? "partly" : "yes"
    : failing.length < objectives.classes.length && failing.length > 0
    ? "partly"
    : "no";
  const whole = traffic.peakRequestsPerSecond;
  const peak = whole === null ? null : whole * keptShare(limits);
  const machines = carried === null || peak === null ? null : Math.max(1, Math.ceil(peak / carried - 1e-9));
  return {
    carries,
    classesElsewhere: carries === "partly" && carried === null ? failing : [],
    machines,
    utilisation: machines === null || carried === null ? null : peak! / (machines * carried),
    next: adviceOf(basis, carries, machines),
  };
}

function adviceOf(
  { objectives, traffic, noise, energy, quality, hasPrices, wasShort }: VerdictBasis,
  carries: TrialVerdict["carries"],
  machines: number | null,
): TrialAdvice[] {
  const next: TrialAdvice[] = [];
  const isServed = carries === "yes" || traffic.promptLimits.length > 0 && carries === "partly";
  if (isServed) {
    next.push("serve with the configuration");
    if (machines !== null && machines > 1) next.push("add machines");
    if (carries === "partly") next.push("move long prompts elsewhere", "loosen objectives");
  } else {
    if (carries === "partly") next.push("move classes elsewhere");
    next.push("try a smaller model or format");
    if (objectives.classes.some((each) => !isPatient(each))) next.push("loosen objectives");
  }
  if (quality === null) next.push("test quality");
  if (noise.isNoisy || (noise.stolenShare ?? 0) >= STOLEN) next.push("repeat on a quiet machine");
  if (wasShort) next.push("repeat with a longer budget");
  if (traffic.source === "profile") next.push("record own traffic");
  if (!hasPrices) next.push("give prices");
  if (energy.measured === null) next.push("measure energy");
  return next;
}
