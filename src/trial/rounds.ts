/** Successive halving, run. @module */

import { type Contestant, goodputOf, rank } from "./choice.ts";
import type { HalvingRound } from "./halving.ts";
import type { Journal } from "./journal.ts";
import type { Measurer, RunResult, TrialProgress } from "./measurer.ts";
import type { Measures, PointRun, TrialObjectives } from "./report_data.ts";
import type { ScreenedPoint } from "./screening.ts";

/** A point and what became of it. */
export interface Racer extends ScreenedPoint {
  readonly runs: PointRun[];
  lastRound: number;
  problem?: string;
  /** Of its last run. */
  result: RunResult | null;
}

/** What runs points. */
export interface RoundsOptions {
  readonly journal: Journal;
  readonly measurer: Pick<Measurer, "run">;
  readonly objectives: TrialObjectives;
  readonly drainMs: number;
  /** What a run takes beside its load, as far as is known. */
  readonly overheadMs: number;
  readonly seed: number;
  /** Ms of the budget used after which nothing more begins. */
  readonly untilMs: number;
  /** Ms of the budget used at which all of the search has to be over. */
  readonly endMs: number;
  readonly progress: (now: TrialProgress) => void;
}

/** What the rounds leave. */
export interface RoundsResult {
  /** All that were run, in the order of the plan. */
  readonly racers: readonly Racer[];
  /** Those of the last round, best first. */
  readonly leaders: readonly Racer[];
  readonly rounds: readonly {
    readonly round: number;
    readonly points: number;
    readonly secondsPerRun: number;
    readonly requestsPerSecond: number;
  }[];
  /** Runs of one point under the very same load, for the noise. */
  readonly repeats: readonly (readonly Measures[])[];
  readonly perSecond: number;
  /** Runs that there was no time for. */
  readonly missed: number;
}

/** Where the best is better than this, the load is too small to compare points. */
const TOO_EASY = 0.97;
const MORE_LOAD = 1.4;

const DRAIN_MS_MIN = 1000;

/** Runs the rounds: all points of one under the same requests, the better half of them in the next. */
export async function runRounds(
  plan: readonly HalvingRound[],
  points: readonly ScreenedPoint[],
  perSecond: number,
  options: RoundsOptions,
): Promise<RoundsResult> {
  const { objectives } = options;
  let field: Racer[] = points.slice(0, plan[0].points).map((point) => ({
    ...point,
    runs: [],
    lastRound: -1,
    result: null,
  }));
  const racers = field;
  const rounds = [];
  const repeats: Measures[][] = [];
  let missed = 0;
  for (const [round, { points: count, runMs }] of plan.entries()) {
    field = field.slice(0, count);
    rounds.push({
      round,
      points: field.length,
      secondsPerRun: runMs / 1000,
      requestsPerSecond: perSecond,
    });
    const ran = await runRound({ round, rounds: plan.length, runMs, perSecond }, field, options);
    missed += ran.missed;
    if (ran.repeat.length > 1) repeats.push(ran.repeat);
    const alive = field.filter((racer) => racer.lastRound === round && racer.problem === undefined);
    // Where time ran out in a round, those that were run in it go before the others.
    const ranked = rankRacers(alive, objectives);
    field = [...ranked, ...field.filter((racer) => racer.lastRound < round && racer.problem === undefined)];
    const best = ranked[0]?.runs.at(-1)?.measures.all.goodShare ?? 0;
    if (best > TOO_EASY) perSecond *= MORE_LOAD;
    if (ran.missed > 0) break;
  }
  return { racers, leaders: field.filter(({ runs }) => runs.length > 0), rounds, repeats, perSecond, missed };
}

interface RoundOf {
  readonly round: number;
  readonly rounds: number;
  readonly runMs: number;
  readonly perSecond: number;
}

async function runRound(
  { round, rounds, runMs, perSecond }: RoundOf,
  field: readonly Racer[],
  options: RoundsOptions,
): Promise<{ repeat: Measures[]; missed: number }> {
  const { progress } = options;
  // The first one again at the end, where that is not much more: so long apart, the machine shows its moods.
  const again = field.length > 3 ? 1 : 0;
  const repeat: Measures[] = [];
  let longestMs = 0, missed = 0;
  for (let i = 0; i < field.length + again; i++) {
    const racer = field[i % field.length];
    if (racer.problem !== undefined) continue;
    const beganMs = options.journal.usedMs;
    // One point is measured, however little time there is.
    const isNeeded = round === 0 && i === 0;
    if (!isNeeded && beganMs + Math.max(longestMs, runMs + options.overheadMs) > options.untilMs) {
      missed++;
      continue;
    }
    const count = Math.floor(i / field.length);
    progress({
      phase: `round ${round + 1} of ${rounds}`,
      done: i,
      of: field.length + again,
      what: describeSettings(racer),
    });
    const wish = { round, repeat: count, seconds: runMs / 1000, perSecond };
    const measures = await runOnce(racer, wish, options);
    longestMs = Math.max(longestMs, options.journal.usedMs - beganMs);
    if (measures !== null && i % field.length === 0) repeat.push(measures);
  }
  return { repeat, missed };
}

/** Runs a point and notes what came of it. */
export async function runOnce(
  racer: Racer,
  { round, repeat, seconds, perSecond }: {
    readonly round: number;
    readonly repeat: number;
    readonly seconds: number;
    readonly perSecond: number;
  },
  options: RoundsOptions,
): Promise<Measures | null> {
  const { journal, measurer, seed } = options;
  const drainMs = boundedDrain(options, seconds);
  const wish = { settings: racer.settings, perSecond, seconds, seed: seed + 101 * (round + 1), drainMs };
  const key = `round ${round} point ${racer.id} repeat ${repeat}`;
  const result = await journal.step(key, () => measurer.run(wish));
  racer.result = result;
  racer.lastRound = round;
  if (result.measures === null) {
    racer.problem = result.problem ?? "no measures";
    return null;
  }
  racer.runs.push({
    round,
    repeat,
    atMinutes: journal.usedMs / 60_000,
    seed: wish.seed,
    requestsPerSecond: perSecond,
    measures: result.measures,
  });
  return result.measures;
}

/** Best first, by the runs that all of them have. */
export function rankRacers(racers: readonly Racer[], objectives: TrialObjectives): Racer[] {
  const contestants = racers.map(contestantOf);
  return rank(contestants, objectives).map(({ id }) => racers.find((racer) => racer.id === id)!);
}

/** A racer by its first run of each round that it was in. */
export function contestantOf({ id, settings, runs }: Racer): Contestant {
  return { id, settings, runs: runs.filter(({ repeat }) => repeat === 0).map(({ measures }) => measures) };
}

/** Settings in few words. */
export function describeSettings({ settings }: Pick<ScreenedPoint, "settings">): string {
  const { workers, threads, cpus, sequencesMax, batchTokens, maxWaitMs, kvFormat, prefixCache } = settings;
  return [
    `${workers} × ${threads} threads${cpus === null ? "" : ` on ${cpus}`}`,
    `${sequencesMax} sequences`,
    `${batchTokens} tokens a step`,
    `${maxWaitMs} ms`,
    kvFormat,
    prefixCache ? "prefix cache" : "no prefix cache",
  ].join(", ");
}

/** Requests per second that the best of them answered well. */
export function bestGoodput(racers: readonly Racer[]): number {
  return Math.max(0, ...racers.map((racer) => goodputOf(contestantOf(racer))));
}

/** The last answers may take no longer than the search may: what is under way then is cut off. */
export function boundedDrain(
  { journal, drainMs, overheadMs = 0, endMs }: {
    readonly journal: Journal;
    readonly drainMs: number;
    readonly overheadMs?: number;
    readonly endMs: number;
  },
  seconds: number,
): number {
  // Part of the overhead is the server's start, which comes first.
  return Math.max(DRAIN_MS_MIN, Math.min(drainMs, endMs - journal.usedMs - seconds * 1000 - overheadMs / 2));
}
