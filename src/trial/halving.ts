/** How much of a budget goes into which round of successive halving (Jamieson and Talwalkar 2016). @module */

/** What a plan is made for. */
export interface HalvingBasis {
  /** Time for all rounds. */
  readonly budgetMs: number;
  /** Of a run, beside its load: the server's start, a warm-up, the end of the last requests. */
  readonly overheadMs: number;
  /** The shortest load that says anything. */
  readonly runMsMin: number;
  /** Points that there are. */
  readonly pointsMax: number;
}

/** A round: so many points, each under load for so long. */
export interface HalvingRound {
  readonly points: number;
  readonly runMs: number;
}

/** Of each round's points so many go on. */
const KEPT = 1 / 2;
/** So many go into the last round. */
const LAST_POINTS = 3;
/** Each round's runs are longer than those of the one before. */
const LONGER = 1.6;
/** More points than this say no more than these do. */
const POINTS_MAX = 64;

/**
 * The rounds: as many points as the budget has time for, halved until three are left, with longer runs each
 * time. Always at least one round of as many points as there is time for; with hardly any time of one.
 */
export function planRounds(basis: HalvingBasis): HalvingRound[] {
  const most = Math.min(POINTS_MAX, basis.pointsMax);
  for (let points = most; points > 1; points--) {
    const rounds = roundsFrom(points, basis.runMsMin);
    if (roundsMs(rounds, basis.overheadMs) <= basis.budgetMs) return stretched(rounds, basis);
  }
  return [{ points: 1, runMs: Math.max(basis.runMsMin, basis.budgetMs - basis.overheadMs) }];
}

function roundsFrom(first: number, runMsMin: number): HalvingRound[] {
  const rounds: HalvingRound[] = [];
  let points = first, runMs = runMsMin;
  for (;;) {
    rounds.push({ points, runMs });
    if (points <= LAST_POINTS) return rounds;
    points = Math.max(LAST_POINTS, Math.ceil(points * KEPT));
    runMs *= LONGER;
  }
}

/** What rounds take in all. */
export function roundsMs(rounds: readonly HalvingRound[], overheadMs: number): number {
  return rounds.reduce((sum, { points, runMs }) => sum + points * (runMs + overheadMs), 0);
}

/** What is left over makes all runs longer. */
function stretched(rounds: readonly HalvingRound[], { budgetMs, overheadMs }: HalvingBasis): HalvingRound[] {
  const fixed = rounds.reduce((sum, { points }) => sum + points * overheadMs, 0);
  const factor = Math.max(1, (budgetMs - fixed) / (roundsMs(rounds, overheadMs) - fixed));
  return rounds.map(({ points, runMs }) => ({ points, runMs: runMs * factor }));
}
