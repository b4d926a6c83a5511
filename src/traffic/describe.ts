/** What traffic is like, in figures. @module */

import { ascending, mean, quantile } from "../loadtest/quantile.ts";
import type { Traffic, TrafficFormat, TrafficRequest } from "./traffic.ts";

/** How long prompts or answers are, in tokens. */
export interface LengthSummary {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Requests of one class, or of all. */
export interface TrafficClassSummary {
  /** "all", or the name; "" of requests that name none. */
  readonly class: string;
  readonly requests: number;
  readonly perSecond: number;
  readonly promptTokens: LengthSummary;
  readonly answerTokens: LengthSummary;
  readonly promptTokensPerSecond: number;
  readonly answerTokensPerSecond: number;
}

/** A stretch of time. */
export interface TrafficBin {
  /** Ms since the recording began. */
  readonly fromMs: number;
  readonly requests: number;
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** The stretch of some length with the most requests; it begins with one. */
export interface TrafficPeak {
  readonly fromMs: number;
  readonly seconds: number;
  readonly requests: number;
  readonly perSecond: number;
}

/** What prompts have in common. */
export interface SharingSummary {
  readonly blockTokens: number;
  /**
   * Tokens of the prompts that lie in blocks with which an earlier prompt began, as a share of all: what a
   * prefix cache could have at most. Null where the traffic tells of no blocks.
   */
  readonly sharedShare: number | null;
  /** What the prefix cache did have while it was recorded; null where nothing tells. */
  readonly cachedShare: number | null;
  /** Share of the requests that begin with a block of an earlier one. */
  readonly sharingRequests: number | null;
  /** The longest prefixes that many have: so many requests begin with so many tokens. */
  readonly common: readonly { readonly requests: number; readonly tokens: number }[];
}

/** All of it. A plain object, so that it travels as JSON. */
export interface TrafficSummary {
  readonly format: TrafficFormat;
  /** ISO 8601; null where only the distances are known. */
  readonly started: string | null;
  readonly seconds: number;
  readonly all: TrafficClassSummary;
  readonly classes: readonly TrafficClassSummary[];
  readonly refused: number;
  readonly skippedLines: number;
  /** Standard deviation of the time between arrivals over its mean: 1 of a Poisson process, more in bursts. */
  readonly burstiness: number | null;
  /** The busiest minute, or all of shorter traffic. */
  readonly peakMinute: TrafficPeak;
  /** The busiest hour; null of traffic that is shorter. */
  readonly peakHour: TrafficPeak | null;
  /** Arrivals in stretches of one length. */
  readonly binSeconds: number;
  readonly bins: readonly TrafficBin[];
  /** Requests by the hour of the day in UTC; null of traffic without dates or shorter than an hour. */
  readonly hours: readonly number[] | null;
  readonly sharing: SharingSummary;
}

const MINUTE_MS = 60_000, HOUR_MS = 60 * MINUTE_MS;
const BINS_MAX = 96;
/** Lengths of bins in seconds that people think in. */
const BIN_SECONDS = [
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  3600,
  7200,
  14_400,
  21_600,
  43_200,
  86_400,
];
const COMMON_MAX = 5;

/** Puts traffic into figures. */
export function describeTraffic(traffic: Traffic): TrafficSummary {
  const { requests, startedAtMs, format, refused, skipped } = traffic;
  const firstMs = requests[0]?.atMs ?? 0, lastMs = requests.at(-1)?.atMs ?? 0;
  const seconds = (lastMs - firstMs) / 1000;
  const names = [...new Set(requests.map((each) => each.class ?? ""))].sort();
  const classOf = (name: string) => requests.filter((each) => (each.class ?? "") === name);
  const binSeconds = binLength(seconds);
  return {
    format,
    started: startedAtMs === undefined ? null : new Date(startedAtMs).toISOString(),
    seconds,
    all: summarizeClass("all", requests, seconds),
    classes: names.map((name) => summarizeClass(name, classOf(name), seconds)),
    refused,
    skippedLines: skipped.length,
    burstiness: burstiness(requests),
    peakMinute: findPeak(requests, Math.min(MINUTE_MS, Math.max(1000, lastMs - firstMs))),
    peakHour: lastMs - firstMs < HOUR_MS ? null : findPeak(requests, HOUR_MS),
    binSeconds,
    bins: binned(requests, firstMs, lastMs, binSeconds * 1000),
    hours: startedAtMs === undefined || seconds < 3600 ? null : byHour(requests, startedAtMs),
    sharing: summarizeSharing(traffic),
  };
}

function summarizeClass(
  name: string,
  requests: readonly TrafficRequest[],
  seconds: number,
): TrafficClassSummary {
  const rate = (amount: number) => seconds > 0 ? amount / seconds : 0;
  const sum = (read: (request: TrafficRequest) => number) =>
    requests.reduce((total, each) => total + read(each), 0);
  return {
    class: name,
    requests: requests.length,
    perSecond: rate(requests.length),
    promptTokens: lengths(requests.map(({ promptTokens }) => promptTokens)),
    answerTokens: lengths(requests.map(({ answerTokens }) => answerTokens)),
    promptTokensPerSecond: rate(sum(({ promptTokens }) => promptTokens)),
    answerTokensPerSecond: rate(sum(({ answerTokens }) => answerTokens)),
  };
}

function lengths(values: readonly number[]): LengthSummary {
  const sorted = ascending(values);
  const at = (q: number) => quantile(sorted, q);
  return { mean: mean(values), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) ?? NaN };
}

/** The shortest of the usual lengths with which there are few enough bins. */
function binLength(seconds: number): number {
  const least = seconds / BINS_MAX;
  return BIN_SECONDS.find((each) => each >= least) ?? Math.ceil(least / 86_400) * 86_400;
}

function binned(
  requests: readonly TrafficRequest[],
  firstMs: number,
  lastMs: number,
  binMs: number,
): TrafficBin[] {
  const count = Math.floor((lastMs - firstMs) / binMs) + 1;
  const bins = Array.from({ length: count }, (_, i) => ({
    fromMs: firstMs + i * binMs,
    requests: 0,
    promptTokens: 0,
    answerTokens: 0,
  }));
  for (const { atMs, promptTokens, answerTokens } of requests) {
    const bin = bins[Math.floor((atMs - firstMs) / binMs)];
    bin.requests++;
    bin.promptTokens += promptTokens;
    bin.answerTokens += answerTokens;
  }
  return bins;
}

/** The stretch of this length with the most requests. */
function findPeak(requests: readonly TrafficRequest[], lengthMs: number): TrafficPeak {
  let best = 0, at = 0, end = 0;
  requests.forEach(({ atMs }, i) => {
    while (end < requests.length && requests[end].atMs <= atMs + lengthMs) end++;
    if (end - i > best) [best, at] = [end - i, atMs];
  });
  return { fromMs: at, seconds: lengthMs / 1000, requests: best, perSecond: 1000 * best / lengthMs };
}

function burstiness(requests: readonly TrafficRequest[]): number | null {
  const gaps = requests.slice(1).map(({ atMs }, i) => atMs - requests[i].atMs);
  const average = mean(gaps);
  if (!(average > 0)) return null;
  return Math.sqrt(mean(gaps.map((gap) => (gap - average) ** 2))) / average;
}

function byHour(requests: readonly TrafficRequest[], startedAtMs: number): number[] {
  const hours = new Array<number>(24).fill(0);
  for (const { atMs } of requests) hours[new Date(startedAtMs + atMs).getUTCHours()]++;
  return hours;
}

/** Goes over the prompts in order and remembers their blocks for ever, as a cache without end would. */
function summarizeSharing({ requests, blockTokens }: Traffic): SharingSummary {
  const uses = new Map<number, { requests: number; tokens: number }>();
  let promptTokens = 0, shared = 0, sharing = 0, cached = 0, told = 0;
  for (const request of requests) {
    promptTokens += request.promptTokens;
    if (request.cachedTokens !== undefined) {
      told += request.promptTokens;
      cached += request.cachedTokens;
    }
    let known = true, own = 0;
    (request.blocks ?? []).forEach((block, i) => {
      const tokens = Math.min((i + 1) * blockTokens, request.promptTokens);
      const use = uses.get(block);
      if (use === undefined) {
        known = false;
        uses.set(block, { requests: 1, tokens });
      } else {
        use.requests++;
        if (known) own = tokens;
      }
    });
    shared += own;
    if (own > 0) sharing++;
  }
  const hasBlocks = uses.size > 0;
  return {
    blockTokens,
    sharedShare: hasBlocks ? shared / promptTokens : null,
    cachedShare: told === 0 ? null : cached / told,
    sharingRequests: hasBlocks ? sharing / requests.length : null,
    common: commonPrefixes([...uses.values()]),
  };
}

/** Of the prefixes that equally many requests have, the longest; those that save most come first. */
function commonPrefixes(
  all: readonly { requests: number; tokens: number }[],
): { requests: number; tokens: number }[] {
  const longest = new Map<number, number>();
  for (const { requests, tokens } of all) {
    if (requests > 1) longest.set(requests, Math.max(tokens, longest.get(requests) ?? 0));
  }
  return [...longest].map(([requests, tokens]) => ({ requests, tokens }))
    .sort((a, b) => (b.requests - 1) * b.tokens - (a.requests - 1) * a.tokens)
    .slice(0, COMMON_MAX);
}
