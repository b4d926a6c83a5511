/** The requests of a trial, at any rate, and what they are like. @module */

import type { Arrival } from "../loadtest/arrivals.ts";
import { ascending, mean, quantile } from "../loadtest/quantile.ts";
import { PROFILE_BLOCK_TOKENS, profileArrivals } from "./profile_load.ts";
import type { Profile } from "./profiles.ts";
import { isWithin, keptShare, type PromptBound } from "../traffic/prompt_limit.ts";
import type { TrialQuantiles, TrialTraffic, TrialTrafficClass } from "./report_data.ts";

/** Which requests are wanted. */
export interface LoadWish {
  readonly perSecond: number;
  readonly seconds: number;
  readonly seed: number;
}

/** Where a trial's requests come from. */
export interface LoadSource {
  readonly name: string;
  readonly classes: readonly string[];
  /** The same for the same wish; cut to {@linkcode LoadLimits}. */
  arrivals(wish: LoadWish): Arrival[];
  /** What it is like; the rates where the caller knows them. */
  describe(rates: TrafficRates): TrialTraffic;
}

/** How often requests come in the company's own day. */
export interface TrafficRates {
  readonly requestsPerSecond: number | null;
  readonly peakRequestsPerSecond: number | null;
  readonly users: number | null;
}

/** What a model can take at most: a longer prompt is cut so that its answer has room. */
export interface LoadLimits {
  readonly contextLength: number;
}

/** Requests that a description is of, and that a report carries. */
const DESCRIBED = 2000, SAMPLE = 1000;
/** Tokens that a chat template may add to a prompt. */
const TEMPLATE_TOKENS = 32;
const MINUTE_MS = 60_000;

/** Requests of a profile. */
export function profileSource(name: string, profile: Profile, limits: LoadLimits): LoadSource {
  const classes = [...new Set(profile.parts.map((part) => part.class))];
  return {
    name,
    classes,
    arrivals: (wish) => profileArrivals(profile, wish).map((each) => cut(each, limits)),
    describe(rates) {
      const arrivals = profileArrivals(profile, { perSecond: 1, seconds: DESCRIBED, seed: 1 });
      return {
        source: "profile",
        name,
        sources: profile.sources,
        seconds: null,
        ...rates,
        requestsPerUserSecond: profile.requestsPerUserSecond,
        promptLimits: [],
        ...describeArrivals(arrivals, PROFILE_BLOCK_TOKENS),
      };
    },
  };
}

/**
 * Requests of a recording, in its order and with its bursts: played so much faster or slower that the part
 * which is played has the rate that is wanted. Which part that is follows from the seed; at the recording's
 * end it begins anew.
 */
export function recordedSource(name: string, recorded: readonly Arrival[], limits: LoadLimits): LoadSource {
  if (recorded.length === 0) throw new RangeError(`The traffic ${name} has no requests`);
  const classes = [...new Set(recorded.map((each) => each.class))].sort();
  const seconds = (recorded[recorded.length - 1].atMs - recorded[0].atMs) / 1000;
  return {
    name,
    classes,
    arrivals: (wish) => playPart(recorded, wish).map((each) => cut(each, limits)),
    describe(rates) {
      const rate = seconds > 0 ? recorded.length / seconds : null;
      return {
        source: "file",
        name,
        sources: [],
        promptLimits: [],
        seconds,
        requestsPerUserSecond: rates.users !== null && rate !== null ? rate / rates.users : null,
        users: rates.users,
        requestsPerSecond: rates.requestsPerSecond ?? rate,
        peakRequestsPerSecond: rates.peakRequestsPerSecond ?? busiestMinute(recorded) ?? rate,
        ...describeArrivals(recorded, recorded.find((each) => each.blockTokens)?.blockTokens ?? 512),
      };
    },
  };
}

/** The same without prompts that are too long: as many of the others, at the rate that is asked for. */
export function limitedSource(source: LoadSource, limits: readonly PromptBound[]): LoadSource {
  if (limits.length === 0) return source;
  return {
    ...source,
    arrivals: (wish) =>
      source.arrivals({ ...wish, perSecond: wish.perSecond / keptShare(limits) })
        .filter((each) => isWithin(each, limits)),
  };
}

/** The requests of a traffic's sample, cut as those of its source. */
export function sampleRequests(traffic: TrialTraffic, limits: LoadLimits): Arrival[] {
  return traffic.sample.map(({ cls, prompt, answer }) =>
    cut({ atMs: 0, class: traffic.classes[cls].class, promptTokens: prompt, maxTokens: answer }, limits)
  );
}

function playPart(recorded: readonly Arrival[], { perSecond, seconds, seed }: LoadWish): Arrival[] {
  const count = Math.max(1, Math.round(perSecond * seconds));
  // Parts of neighbouring seeds lie far apart.
  const start = Math.floor((seed * 0.6180339887498949 % 1) * Math.max(1, recorded.length - count + 1));
  const spanMs = recorded[recorded.length - 1].atMs - recorded[0].atMs;
  const round = spanMs * (1 + 1 / recorded.length) + 1;
  const part = Array.from({ length: count }, (_, i) => {
    const at = start + i;
    const each = recorded[at % recorded.length];
    return { ...each, atMs: each.atMs + Math.floor(at / recorded.length) * round };
  });
  const firstMs = part[0].atMs;
  const length = part[part.length - 1].atMs - firstMs;
  const scale = length > 0 ? seconds * 1000 * (count - 1) / count / length : 0;
  return part.map((each) => ({ ...each, atMs: (each.atMs - firstMs) * scale }));
}

/** A request that fits into the context, template and answer included. */
function cut(arrival: Arrival, { contextLength }: LoadLimits): Arrival {
  const room = Math.max(2, contextLength - TEMPLATE_TOKENS);
  // Neither may take all of it.
  const maxTokens = Math.min(arrival.maxTokens, Math.max(1, Math.floor(room / 2)));
  const promptTokens = Math.min(arrival.promptTokens, room - maxTokens);
  return promptTokens === arrival.promptTokens && maxTokens === arrival.maxTokens
    ? arrival
    : { ...arrival, promptTokens, maxTokens };
}

/** Share of the requests that {@linkcode LoadLimits} shorten. */
export function shareCut(traffic: TrialTraffic, limits: LoadLimits): number {
  const isCut = traffic.sample.filter(({ prompt, answer }) => {
    const arrival = { atMs: 0, class: "", promptTokens: prompt, maxTokens: answer };
    return cut(arrival, limits) !== arrival;
  });
  return traffic.sample.length === 0 ? 0 : isCut.length / traffic.sample.length;
}

/** Requests per second of the busiest minute; null of less than a minute. */
function busiestMinute(arrivals: readonly Arrival[]): number | null {
  if (arrivals[arrivals.length - 1].atMs - arrivals[0].atMs < MINUTE_MS) return null;
  let best = 0, first = 0;
  for (let last = 0; last < arrivals.length; last++) {
    while (arrivals[last].atMs - arrivals[first].atMs >= MINUTE_MS) first++;
    best = Math.max(best, last - first + 1);
  }
  return best / 60;
}

function describeArrivals(arrivals: readonly Arrival[], blockTokens: number) {
  const names = [...new Set(arrivals.map((each) => each.class))].sort();
  const gaps = arrivals.slice(1).map((each, i) => each.atMs - arrivals[i].atMs);
  const gapMean = mean(gaps);
  return {
    requests: arrivals.length,
    classes: names.map((name) => describeClass(name, arrivals)),
    sharedPromptShare: sharedShare(arrivals, blockTokens),
    burstiness: gaps.length > 1 && gapMean > 0
      ? Math.sqrt(mean(gaps.map((gap) => (gap - gapMean) ** 2))) / gapMean
      : 1,
    sample: arrivals.slice(0, SAMPLE).map((each) => ({
      at: Math.round(each.atMs - arrivals[0].atMs),
      cls: names.indexOf(each.class),
      prompt: each.promptTokens,
      answer: each.maxTokens,
      ...each.blocks === undefined ? {} : { blocks: each.blocks },
    })),
    blockTokens,
  };
}

function describeClass(name: string, arrivals: readonly Arrival[]): TrialTrafficClass {
  const own = arrivals.filter((each) => each.class === name);
  return {
    class: name,
    share: own.length / arrivals.length,
    promptTokens: quantiles(own.map((each) => each.promptTokens)),
    answerTokens: quantiles(own.map((each) => each.maxTokens)),
  };
}

function quantiles(values: readonly number[]): TrialQuantiles {
  const sorted = ascending(values);
  const at = (share: number) => quantile(sorted, share);
  return { mean: mean(sorted), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted[sorted.length - 1] };
}

/** Tokens of leading blocks that some earlier prompt had, too, over all tokens of prompts. */
function sharedShare(arrivals: readonly Arrival[], blockTokens: number): number {
  const seen = new Set<number>();
  let shared = 0, all = 0;
  for (const { blocks = [], promptTokens } of arrivals) {
    const known = blocks.findIndex((block) => !seen.has(block));
    shared += Math.min(promptTokens, (known < 0 ? blocks.length : known) * blockTokens);
    all += promptTokens;
    for (const block of blocks) seen.add(block);
  }
  return all > 0 ? shared / all : 0;
}
