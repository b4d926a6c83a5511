import type { Measures, TrialNoise } from "./report_data.ts";
import { relativeSpread } from "./statistics.ts";

/** Repeated runs whose throughput differs by more than this make a machine noisy. */
export const NOISY = 0.1;
/** Fewer pairs than that say little; this much is taken for granted then. */
export const ASSUMED_SPREAD = 0.05;

/**
 * What runs of the same point under the same load say of the machine. `pairs`: runs of several points, run by
 * run under the same loads; what differs between loads is taken out.
 */
export function noiseOf(
  alike: readonly (readonly Measures[])[],
  pairs: readonly (readonly Measures[])[] = [],
): TrialNoise {
  const read = (of: (measures: Measures) => number | null) => {
    const values = (runs: readonly Measures[]) =>
      runs.map(of).filter((value) => value !== null && value > 0) as number[];
    return relativeSpread([...alike.map(values), ...ratios(pairs.map(values))]);
  };
  const throughputSpread = read(({ all }) => all.answerTokensPerSecond);
  return {
    repeats: alike.filter((runs) => runs.length > 1).length +
      pairs.slice(1).filter((runs) => runs.length > 1).length,
    throughputSpread,
    ttftSpread: read(({ all }) => all.ttftMs.p50),
    isNoisy: (throughputSpread ?? 0) > NOISY,
    threshold: NOISY,
    stolenShare: null,
  };
}

/** A server with more work than it can do should have its CPUs; what is missing of this is somebody else's. */
const OVERLOADED = 0.9;
/** Others' share of the CPUs from which on figures are not those of this machine alone. */
export const STOLEN = 0.2;

/** The noise, with what other programs took of the CPUs while there was more work than the server could do. */
export function withStolenShare(noise: TrialNoise, runs: readonly Measures[]): TrialNoise {
  const shares = runs.filter(({ all, cpuShare }) => cpuShare !== null && (all.goodShare ?? 1) < OVERLOADED)
    .map(({ cpuShare }) => Math.max(0, 1 - cpuShare!)).sort((a, b) => a - b);
  if (shares.length === 0) return noise;
  return { ...noise, stolenShare: shares[shares.length >> 1] };
}

/** How one point's runs compare with the first one's, about 1, with the spread of one run and not of two. */
function ratios(points: readonly (readonly number[])[]): number[][] {
  const [first, ...others] = points;
  if (first === undefined) return [];
  return others.filter((each) => each.length === first.length && each.length > 1).map((each) => {
    const quotients = each.map((value, i) => value / first[i]);
    const middle = quotients.reduce((sum, value) => sum + value, 0) / quotients.length;
    return quotients.map((value) => middle * (1 + (value / middle - 1) / Math.SQRT2));
  });
}
