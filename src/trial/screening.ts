/**
 * An order in which points are worth measuring, from what a step was found to take at one of them. It decides
 * nothing but the order: what is not measured is not chosen.
 * @module
 */

import { scaledTokenTime, type TokenBend, tokensMs } from "../protocol/token_time.ts";
import type { GridPoint } from "./grid.ts";
import { mean } from "./statistics.ts";
import type { PointSettings, TrialObjectives } from "./report_data.ts";

/** What a step takes at the settings under which it was measured. */
export interface StepFigures {
  readonly fixedMs: number;
  readonly msPerToken: number;
  readonly bends: readonly TokenBend[];
  readonly msPerKvEntry: number;
  readonly msPerRow: number;
  readonly settings: PointSettings;
}

/** A common request and what is promised to it. */
export interface TypicalRequest {
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** Of the prompt that a prefix cache would have. */
  readonly sharedShare: number;
  /** Time between tokens; null: no such objective. */
  readonly itlMs: number | null;
}

/** What requests have in common: the mean of their lengths, and the least time between tokens that is promised. */
export function typicalRequest(
  requests: readonly { readonly promptTokens: number; readonly maxTokens: number }[],
  sharedShare: number,
  objectives: TrialObjectives,
): TypicalRequest {
  const itl = objectives.classes.map(({ itlMs }) => itlMs).filter((ms) => ms !== null);
  return {
    promptTokens: mean(requests.map(({ promptTokens }) => promptTokens)),
    answerTokens: Math.max(1, mean(requests.map(({ maxTokens }) => maxTokens))),
    sharedShare,
    itlMs: itl.length === 0 ? null : Math.min(...itl),
  };
}

/** Reading a value of 8 bits with its scale, over one of 16. */
const Q8_KV = 0.55;
/** The default for more than one: all of them read the weights, and the memory is the same. */
const SEQUENCES_MIN = 1;

/**
 * Requests per second that a point would carry if they came like the beads of a chain: at each moment as many
 * are under way as the batch, the KV cache and the time between tokens allow. A step reads the weights once in each
 * worker (`fixedMs`: the memory's time, which workers share), and multiplies for each token (the cores'
 * time, which they share, too).
 */
export function expectedRate(settings: PointSettings, step: StepFigures, request: TypicalRequest): number {
  const threads = settings.workers * settings.threads;
  const cores = step.settings.workers * step.settings.threads / threads;
  // One thread alone reads more than half as fast as two.
  const fixedMs = step.fixedMs * settings.workers / step.settings.workers * Math.max(1, cores ** 0.5);
  const tokens = scaledTokenTime(step, cores * settings.workers / step.settings.workers);
  const msPerRow = step.msPerRow * cores * settings.workers / step.settings.workers;
  const kvFactor = settings.kvFormat === "q8_0" ? Q8_KV : 1;
  const msPerKv = step.msPerKvEntry * kvFactor * cores * settings.workers / step.settings.workers;
  const prompt = request.promptTokens * (1 - (settings.prefixCache ? request.sharedShare : 0));
  const kvMean = request.promptTokens + request.answerTokens / 2;
  const steps = Math.ceil(prompt / settings.batchTokens);
  const prefillMs = prompt * msPerKv * request.promptTokens / 2 + fixedMs * steps * 0.5 +
    (steps === 0 ? 0 : steps * tokensMs(tokens, prompt / steps));
  const sequencesMax = Math.max(
    SEQUENCES_MIN,
    Math.min(
      settings.sequencesMax,
      Math.floor(settings.kvTokens / (request.promptTokens + request.answerTokens)),
    ),
  );
  let best = 0;
  for (let sequences = SEQUENCES_MIN; sequences <= sequencesMax; sequences++) {
    const decodeMs = fixedMs + tokensMs(tokens, sequences) + sequences * (msPerRow + msPerKv * kvMean);
    // While it decodes its answer, a sequence sees the prompts of as many others as begin meanwhile.
    const itlMs = decodeMs + sequences * prefillMs / request.answerTokens;
    if (request.itlMs !== null && itlMs > request.itlMs && sequences > SEQUENCES_MIN) break;
    best = Math.max(best, 1000 * sequences / (itlMs * request.answerTokens));
  }
  return best * settings.workers;
}

/** A point with what {@linkcode expectedRate} says, relative to the best. */
export interface ScreenedPoint extends GridPoint {
  readonly score: number;
}

/**
 * The points in the order in which they are to be measured: `first`, whatever is said of it; the best one; the best
 * with each value of each setting, so that a wrong expectation about one value is found out; then all others, the
 * best first. Points of one score keep the order that `shuffle` (uniform in (0, 1), called once a point) gives them.
 */
export function screen(
  points: readonly GridPoint[],
  { first, step, request, shuffle }: {
    readonly first: GridPoint;
    readonly step: StepFigures;
    readonly request: TypicalRequest;
    readonly shuffle: () => number;
  },
): ScreenedPoint[] {
  const rated = points.map((point) => ({
    ...point,
    score: expectedRate(point.settings, step, request),
    draw: shuffle(),
  }));
  const best = Math.max(...rated.map(({ score }) => score));
  const sorted = rated.map((each) => ({ ...each, score: best > 0 ? each.score / best : 0 }))
    .sort((a, b) => b.score - a.score || a.draw - b.draw);
  const order = new Map<number, ScreenedPoint>();
  const add = ({ id, settings, score }: ScreenedPoint) => {
    if (!order.has(id)) order.set(id, { id, settings, score });
  };
  add(sorted.find(({ id }) => id === first.id)!);
  add(sorted[0]);
  const seen = new Set<string>();
  for (const point of sorted) {
    const values = Object.entries(point.settings).filter(([name]) => name !== "kvTokens").map((
      [name, value],
    ) => `${name} ${value}`);
    if (values.every((value) => seen.has(value))) continue;
    for (const value of values) seen.add(value);
    add(point);
  }
  for (const point of sorted) add(point);
  return [...order.values()];
}
