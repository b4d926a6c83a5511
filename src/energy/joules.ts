/**
 * Energy, measured or estimated: two kinds that no assignment turns into each other. Their numbers are marked,
 * and so that no reader of JSON mistakes one for the other either, they have no key in common but that which says
 * which they are.
 * @module
 */

declare const measured: unique symbol;
declare const estimated: unique symbol;

/** Joules that a counter or a meter has counted. Made only where they were. */
export type MeasuredJoules = number & { readonly [measured]: true };
/** Joules that somebody has reckoned. */
export type EstimatedJoules = number & { readonly [estimated]: true };

/** What counted: powercap, the power PMU, or an instrument outside of the machine. */
export type EnergySourceName = "rapl" | "perf" | "meter";

/** Energy of a stretch of time, as counted. */
export interface MeasuredEnergy {
  readonly kind: "measured";
  readonly source: EnergySourceName;
  /** Such as "package-0", "dram-0". */
  readonly domains: readonly string[];
  readonly seconds: number;
  readonly grossJoules: MeasuredJoules;
  readonly meanWatts: number;
  /** Of the machine with nothing to do; null where that was not measured. */
  readonly idleWatts: number | null;
  /** What the work added: gross less idle, not below 0; null without idle. */
  readonly idleSubtractedJoules: MeasuredJoules | null;
}

/** Energy of a stretch of time, reckoned from what the processor is sold as. */
export interface EstimatedEnergy {
  readonly kind: "estimated";
  readonly estimatedFrom: "tdp";
  readonly tdpWatts: number;
  /** "given", or the table with its date. */
  readonly tdpFrom: string;
  /** Of the CPUs that the TDP is of, from 0 to 1. */
  readonly utilisation: number;
  readonly estimatedSeconds: number;
  readonly estimatedWatts: number;
  readonly estimatedJoules: EstimatedJoules;
}

/** Why nothing was measured, in a sentence, with the command that changes it where there is one. */
export interface EnergyProblem {
  readonly kind: "none";
  readonly reason: string;
}

/** Puts a count together. For those who count. */
export function countedEnergy(count: {
  readonly source: EnergySourceName;
  readonly domains: readonly string[];
  readonly seconds: number;
  readonly joules: number;
  readonly idleWatts: number | null;
}): MeasuredEnergy {
  const { source, domains, seconds, joules, idleWatts } = count;
  return {
    kind: "measured",
    source,
    domains,
    seconds,
    grossJoules: joules as MeasuredJoules,
    meanWatts: joules / seconds,
    idleWatts,
    idleSubtractedJoules: idleWatts === null
      ? null
      : Math.max(0, joules - idleWatts * seconds) as MeasuredJoules,
  };
}
