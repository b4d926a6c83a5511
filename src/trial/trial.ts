/**
 * A trial from the first request to the operating point: which load to compare at, which points, in which order,
 * for how long, which one is chosen, and what it carries. Knows no clock, no files and no servers: it asks a
 * measurer, through a journal, so that an interrupted trial decides as an undisturbed one.
 * @module
 */

import { equalsOf, goodputOf } from "./choice.ts";
import { defaultPoint, type Dimensions, type GridPoint } from "./grid.ts";
import { planRounds } from "./halving.ts";
import { findHighestLoad, type FoundLoad } from "./highest_load.ts";
import type { Journal } from "./journal.ts";
import { kumiConfig } from "./kumi_config.ts";
import type { Measurer, RunResult, Sounding, TrialProgress } from "./measurer.ts";
import { ASSUMED_SPREAD, noiseOf, withStolenShare } from "./noise.ts";
import { probe, type Probed } from "./probe.ts";
import { promptLimits } from "./prompt_limits.ts";
import { keptShare, type LimitedRequest } from "../traffic/prompt_limit.ts";
import { randomFrom } from "../loadtest/random.ts";
import {
  bestGoodput,
  contestantOf,
  describeSettings,
  type Racer,
  rankRacers,
  type RoundsOptions,
  type RoundsResult,
  runOnce,
  runRounds,
} from "./rounds.ts";
import { expectedRate, screen, type StepFigures, type TypicalRequest } from "./screening.ts";
import { interval, isAbove } from "./statistics.ts";
import type {
  ChosenPoint,
  PromptLimit,
  StepFit,
  TrialNoise,
  TrialObjectives,
  TrialSearch,
} from "./report_data.ts";

/** What a trial is made of. */
export interface TrialOptions {
  readonly model: string;
  readonly objectives: TrialObjectives;
  readonly dimensions: Dimensions;
  readonly points: readonly GridPoint[];
  /** Requests of the traffic, for what of them is too long. */
  readonly requests: readonly LimitedRequest[];
  /** What is common of the requests within limits. */
  readonly typical: (limits: readonly PromptLimit[]) => TypicalRequest;
  readonly requestsPerUserSecond: number | null;
  readonly seed: number;
  /** Ms of the budget used at which the search has to be over. */
  readonly untilMs: number;
  readonly journal: Journal;
  readonly measurer: Measurer;
  readonly progress: (now: TrialProgress) => void;
}

/** What a trial found. */
export interface TrialOutcome {
  readonly search: TrialSearch;
  readonly chosen: ChosenPoint | null;
  readonly noise: TrialNoise;
  readonly sounding: Sounding;
  readonly promptLimits: readonly PromptLimit[];
  /** Of the run at the highest load. */
  readonly result: RunResult | null;
  /** The engine's model of a step in that run, and the settings of it. */
  readonly step: StepFit | null;
  /** Runs that there was no time for. */
  readonly missed: number;
}

/** Shares of the time that is left after the probe. */
const ROUNDS_SHARE = 0.55, FINALS_SHARE = 0.2;
/** Of all time, the probe's at most. */
const PROBE_SHARE = 0.25;
/** A run has so many requests of the load at least, and lasts as long as so many answers. */
const RUN_REQUESTS = 12, RUN_ANSWERS = 1.5;
const RUN_MS_MIN = 3000, RUN_MS_MAX = 120_000;
/** The last answers of a run may take so many times what one took alone. */
const DRAIN = 6;
const DRAIN_MS_MIN = 2000;
/** Repeats of the last round's points. */
const REPEATS_MAX = 6;
const FINALISTS = 3;

/** Runs a trial. Throws where not even the default settings give a server that answers. */
export async function runTrial(options: TrialOptions): Promise<TrialOutcome> {
  const { journal, points, seed, untilMs, progress } = options;
  const first = defaultPoint(points);
  progress({ phase: "first request", done: 0, of: 1, what: describeSettings(first) });
  const sounding = await journal.step("sounding", () => options.measurer.sound(first.settings, seed));
  const limits = promptLimits(sounding.alone, options.requests, options.objectives);
  const typical = options.typical(limits);
  const measurer: Pick<Measurer, "run"> = {
    run: (wish) => options.measurer.run({ ...wish, promptLimits: limits }),
  };
  const step = stepFigures(sounding, first);
  const start = expectedRate(first.settings, step, typical);
  const drainMs = Math.max(DRAIN_MS_MIN, DRAIN * sounding.e2eMs);
  const runMsMin = Math.min(
    RUN_MS_MAX,
    Math.max(RUN_MS_MIN, RUN_REQUESTS / start * 1000, RUN_ANSWERS * sounding.e2eMs),
    (untilMs - journal.usedMs) / 12,
  );
  const common = { journal, measurer, drainMs, objectives: options.objectives, seed, endMs: untilMs };
  const probed = await probe({
    ...common,
    settings: first.settings,
    start,
    seconds: runMsMin / 1000,
    untilMs: journal.usedMs + PROBE_SHARE * (untilMs - journal.usedMs),
    onTry: (perSecond) =>
      progress({ phase: "probe", done: 0, of: 1, what: `${perSecond.toPrecision(3)} requests/s` }),
  });
  const fitted = lastStep(probed, step, first);
  const order = screen(points, { first, step: fitted, request: typical, shuffle: randomFrom(seed) });
  const overheadMs = overheadOf(probed, sounding);
  const left = untilMs - journal.usedMs;
  const plan = planRounds({
    budgetMs: left * ROUNDS_SHARE * 0.95,
    overheadMs,
    runMsMin,
    pointsMax: order.length,
  });
  const untilRounds = journal.usedMs + left * ROUNDS_SHARE * 1.1;
  const rounds = await runRounds(plan, order, probed.perSecond, {
    ...common,
    overheadMs,
    untilMs: untilRounds,
    progress,
  });
  const lastSeconds = plan[Math.min(plan.length, Math.max(1, rounds.rounds.length)) - 1].runMs / 1000;
  const finals = await runFinals(rounds, lastSeconds, {
    ...common,
    overheadMs,
    untilMs: journal.usedMs + (untilMs - journal.usedMs) * FINALS_SHARE / (1 - ROUNDS_SHARE),
    progress,
  });
  const planned = plan[0].points;
  if (finals.leaders.length === 0) {
    return {
      ...outcomeOf(options, rounds, finals, null, planned),
      sounding,
      promptLimits: limits,
      result: null,
      step: sounding.step,
    };
  }
  const found = await findHighestLoad({
    ...common,
    overheadMs,
    settings: finals.leaders[0].settings,
    start: Math.max(bestGoodput([finals.leaders[0]]) * 0.85, probed.perSecond / 8),
    seconds: Math.max(
      lastSeconds,
      (untilMs - journal.usedMs) / 1000 / 6 - (overheadMs - sounding.loadSeconds) / 1000,
    ),
    seed: seed + 7,
    untilMs,
    requestsPerUserSecond: options.requestsPerUserSecond === null
      ? null
      : options.requestsPerUserSecond * keptShare(limits),
    onTry: (perSecond, tries) =>
      progress({
        // How many there will be nobody knows.
        phase: `highest load, try ${tries + 1}`,
        done: 0,
        of: 1,
        what: `${perSecond.toPrecision(3)} requests/s`,
      }),
  });
  return {
    ...outcomeOf(options, rounds, finals, found, planned),
    sounding,
    promptLimits: limits,
    result: found.result ?? finals.leaders[0].result,
    step: (found.result ?? finals.leaders[0].result)?.step ?? sounding.step,
  };
}

/** Where the engine has not said what a step takes, the request that was alone has shown it. */
function stepFigures({ step, itlMs, ttftMs }: Sounding, { settings }: GridPoint): StepFigures {
  if (step !== null && step.steps > 0 && step.fixedMs + step.msPerToken > 0) return { ...step, settings };
  return {
    fixedMs: 0.8 * itlMs,
    msPerToken: Math.max(0.01, Math.min(0.2 * itlMs, ttftMs / 64)),
    bends: [],
    msPerKvEntry: 0,
    msPerRow: 0,
    settings,
  };
}

function lastStep({ runs }: Probed, fallback: StepFigures, { settings }: GridPoint): StepFigures {
  const step = runs.at(-1)?.result.step ?? null;
  return step === null || !(step.fixedMs + step.msPerToken > 0) ? fallback : { ...step, settings };
}

/** What a run takes beside its load: the start of a server, and the last answers. */
function overheadOf({ runs }: Probed, { loadSeconds, e2eMs }: Sounding): number {
  const last = runs.at(-1);
  const drainMs = last === undefined ? e2eMs : last.tookMs - last.wish.seconds * 1000;
  return loadSeconds * 1000 + Math.max(0, drainMs);
}

interface Finals {
  /** Best first. */
  readonly leaders: readonly Racer[];
  readonly equals: readonly Racer[];
  readonly noise: TrialNoise;
}

/** The last round's best again and again, in turns, until one is clearly above the others or time is out. */
async function runFinals(rounds: RoundsResult, seconds: number, options: RoundsOptions): Promise<Finals> {
  const finalists = rounds.leaders.slice(0, FINALISTS);
  const { journal, untilMs, progress } = options;
  const firstRound = rounds.rounds.length;
  let turnMs = finalists.length * (seconds * 1000 + options.overheadMs);
  let noise = noiseOf(rounds.repeats);
  for (let turn = 0; turn < REPEATS_MAX && finalists.length > 1; turn++) {
    const beganMs = journal.usedMs;
    if (beganMs + turnMs > untilMs) break;
    for (const racer of finalists) {
      progress({ phase: "repeats", done: turn, of: REPEATS_MAX, what: describeSettings(racer) });
      const wish = { round: firstRound + turn, repeat: 0, seconds, perSecond: rounds.perSecond };
      if (racer.problem === undefined) await runOnce(racer, wish, options);
    }
    turnMs = journal.usedMs - beganMs;
    noise = noiseOf(
      rounds.repeats,
      finalists.map(({ runs }) => runs.filter(({ round }) => round >= firstRound).map((run) => run.measures)),
    );
    const [best, ...others] = rankRacers(finalists, options.objectives).map(sharedRuns);
    const spread = (noise.throughputSpread ?? ASSUMED_SPREAD) * goodputOf(best);
    const values = (each: typeof best) => each.runs.map(({ all }) => all.goodPerSecond);
    if (turn > 0 && others.every((each) => isAbove(values(best), values(each), spread))) break;
  }
  const alive = rankRacers(finalists.filter(({ problem }) => problem === undefined), options.objectives);
  const leaders = [...alive, ...rounds.leaders.filter((each) => !finalists.includes(each))];
  if (alive.length === 0) return { leaders, equals: [], noise };
  const spread = noise.throughputSpread ?? ASSUMED_SPREAD;
  const near = equalsOf(sharedRuns(alive[0]), alive.slice(1).map(sharedRuns), spread).map(({ id }) => id);
  return { leaders, equals: alive.filter(({ id }) => near.includes(id)), noise };

  /** Finalists were together in the last round and all turns. */
  function sharedRuns(racer: Racer) {
    const runs = racer.runs.filter(({ round }) => round >= firstRound - 1);
    return contestantOf({ ...racer, runs });
  }
}

function outcomeOf(
  { model, objectives, dimensions, points }: TrialOptions,
  rounds: RoundsResult,
  { leaders, equals, noise }: Finals,
  found: FoundLoad | null,
  planned: number,
): Pick<TrialOutcome, "search" | "chosen" | "noise" | "missed"> {
  const chosen = found === null ? undefined : leaders[0];
  const measured = rounds.racers.filter(({ runs }) => runs.length > 0);
  const outcome = (racer: Racer) =>
    racer === chosen
      ? "chosen"
      : equals.includes(racer)
      ? "equal"
      : racer.problem !== undefined
      ? "failed"
      : racer.runs.length === 0
      ? "not run"
      : "beaten";
  const overloaded = measured.flatMap(({ runs }) => runs.map((run) => run.measures));
  return {
    noise: withStolenShare(noise, overloaded),
    missed: rounds.missed + planned - rounds.racers.length,
    search: {
      dimensions: {
        ...dimensions,
        placement: dimensions.placement.map(({ workers, threads, cpus }) =>
          `${workers} × ${threads}${cpus === null ? "" : ` on ${cpus}`}`
        ),
      },
      gridPoints: points.length,
      measuredPoints: measured.length,
      rounds: rounds.rounds,
      points: rounds.racers.map((racer) => ({
        id: racer.id,
        settings: racer.settings,
        screeningScore: racer.score,
        runs: racer.runs,
        lastRound: racer.lastRound,
        outcome: outcome(racer),
        ...racer.problem === undefined ? {} : { problem: racer.problem },
      })),
    },
    chosen: chosen === undefined || found === null ? null : {
      id: chosen.id,
      settings: chosen.settings,
      config: kumiConfig(model, chosen.settings, objectives),
      measures: found.result?.measures ?? chosen.runs[chosen.runs.length - 1].measures,
      highestLoad: found.highestLoad,
      goodPerSecond: goodputInterval(chosen, rounds.rounds.length - 1, noise),
      equals: equals.map(({ id }) => id),
    },
  };
}

/** Goodput of the last round's run and its repeats. */
function goodputInterval({ runs }: Racer, fromRound: number, { throughputSpread }: TrialNoise) {
  const last = runs.filter(({ round }) => round >= fromRound);
  const values = (last.length > 0 ? last : runs).map(({ measures }) => measures.all.goodPerSecond);
  const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
  return interval(values, (throughputSpread ?? ASSUMED_SPREAD) * middle);
}
