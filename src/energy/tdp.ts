/** What energy may be where nothing counts it: an estimate from the processor's TDP. @module */

import type { EnergyProblem, EstimatedEnergy, EstimatedJoules } from "./joules.ts";

/** A processor as its maker sells it. */
interface Processor {
  readonly pattern: RegExp;
  /** Of one package. */
  readonly watts: number;
  /** Of one package, with simultaneous multithreading. */
  readonly threads: number;
}

/** When the table was written: rated figures as the makers sell these parts, not looked up anew since. */
export const TDP_TABLE_DATE = "2026-11-30";

/** Common servers and workstations; whoever has another says its TDP. */
const PROCESSORS: readonly Processor[] = [
  { pattern: /Xeon.* Platinum 8480/, watts: 350, threads: 112 },
  { pattern: /Xeon.* Platinum 8380/, watts: 270, threads: 80 },
  { pattern: /Xeon.* Platinum 8280/, watts: 205, threads: 56 },
  { pattern: /Xeon.* Gold 6430/, watts: 270, threads: 64 },
  { pattern: /Xeon.* Gold 6338(?!\w)/, watts: 205, threads: 64 },
  { pattern: /Xeon.* Gold 6248R/, watts: 205, threads: 48 },
  { pattern: /Xeon.* Silver 4314/, watts: 135, threads: 32 },
  { pattern: /EPYC 9654(?!\w)/, watts: 360, threads: 192 },
  { pattern: /EPYC 9554(?!\w)/, watts: 360, threads: 128 },
  { pattern: /EPYC 7763/, watts: 280, threads: 128 },
  { pattern: /EPYC 7713(?!\w)/, watts: 225, threads: 128 },
  { pattern: /EPYC 7543(?!\w)/, watts: 225, threads: 64 },
  { pattern: /Ryzen 9 7950X(?!\w)/, watts: 170, threads: 32 },
  { pattern: /Ryzen 9 5950X/, watts: 105, threads: 32 },
  { pattern: /Core.* i9-13900K(?!\w)/, watts: 125, threads: 32 },
  { pattern: /Core.* i7-12700(?!\w)/, watts: 65, threads: 20 },
];

/** The TDP of what this process may use, and where it comes from. */
export interface Tdp {
  readonly watts: number;
  readonly from: string;
}

/**
 * The TDP of `cpus` CPUs of a processor: of a package's, the share that so many of its threads are. A problem
 * for one that the table does not have.
 */
export function tableTdp(processor: string | undefined, cpus: number): Tdp | EnergyProblem {
  const found = processor === undefined
    ? undefined
    : PROCESSORS.find(({ pattern }) => pattern.test(processor));
  if (found === undefined) {
    return {
      kind: "none",
      reason: `the TDP of ${
        processor ?? "this processor"
      } is not known: give it with --tdp WATTS, from its maker's page`,
    };
  }
  return { watts: found.watts * cpus / found.threads, from: `table of ${TDP_TABLE_DATE}` };
}

/**
 * TDP times utilisation times time. A processor that waits takes more than nothing, and one that computes with
 * wide vectors may take more than its TDP: the figure is good for an order of magnitude.
 */
export function estimateEnergy(
  { watts, from }: Tdp,
  { utilisation, seconds }: { utilisation: number; seconds: number },
): EstimatedEnergy {
  const used = Math.min(1, Math.max(0, utilisation));
  const estimatedWatts = watts * used;
  return {
    kind: "estimated",
    estimatedFrom: "tdp",
    tdpWatts: watts,
    tdpFrom: from,
    utilisation: used,
    estimatedSeconds: seconds,
    estimatedWatts,
    estimatedJoules: estimatedWatts * seconds as EstimatedJoules,
  };
}
