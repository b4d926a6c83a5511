/** Which of two points is the better one. @module */

import { isPatient } from "./objectives.ts";
import type { ClassMeasures, Measures, PointSettings, TrialObjectives } from "./report_data.ts";
import { isAbove, mean } from "./statistics.ts";

/** A point with what was measured of it, each run beside the same run of the others. */
export interface Contestant {
  readonly id: number;
  readonly settings: PointSettings;
  readonly runs: readonly Measures[];
}

/** Goodput that is so near is alike: times decide then. */
const ALIKE = 0.02;

/** What a point is worth: requests per second that were answered within the objectives. */
export function goodputOf({ runs }: Pick<Contestant, "runs">): number {
  return runs.length === 0 ? 0 : mean(runs.map(({ all }) => all.goodPerSecond));
}

/**
 * How much of its objectives a point uses up: the mean over classes of p95 ÷ objective of both times, 0 of
 * classes that nobody waits for. Smaller is better.
 */
export function strainOf({ runs }: Pick<Contestant, "runs">, objectives: TrialObjectives): number {
  const strains = runs.flatMap(({ classes }) => classes.flatMap((each) => strainsOf(each, objectives)));
  return strains.length === 0 ? 0 : mean(strains);
}

function strainsOf({ class: name, ttftMs, itlMs }: ClassMeasures, { classes }: TrialObjectives): number[] {
  const own = classes.find((each) => each.class === name);
  if (own === undefined || isPatient(own)) return [];
  const parts: number[] = [];
  if (own.ttftMs !== null && ttftMs.p95 !== null) parts.push(ttftMs.p95 / own.ttftMs);
  if (own.itlMs !== null && itlMs.p95 !== null) parts.push(itlMs.p95 / own.itlMs);
  return parts;
}

/**
 * The contestants, best first: by goodput; of those within 2 % of the best left by strain, so that where all
 * carry the load the quicker one wins; then by memory and the order of the grid.
 */
export function rank(contestants: readonly Contestant[], objectives: TrialObjectives): Contestant[] {
  const left = [...contestants];
  const ranked: Contestant[] = [];
  while (left.length > 0) {
    const best = Math.max(...left.map(goodputOf));
    const near = left.filter((each) => goodputOf(each) >= best * (1 - ALIKE));
    near.sort((a, b) =>
      strainOf(a, objectives) - strainOf(b, objectives) || a.settings.kvTokens - b.settings.kvTokens ||
      a.id - b.id
    );
    ranked.push(near[0]);
    left.splice(left.indexOf(near[0]), 1);
  }
  return ranked;
}

/**
 * Those of the others that cannot be told from the first: run by run, its goodput is not above theirs beyond
 * chance. `spread`: of one run's goodput, relative, as repeated runs have shown.
 */
export function equalsOf(first: Contestant, others: readonly Contestant[], spread: number): Contestant[] {
  const values = ({ runs }: Contestant) => runs.map(({ all }) => all.goodPerSecond);
  return others.filter((each) =>
    each.runs.length > 0 && !isAbove(values(first), values(each), spread * goodputOf(first))
  );
}
