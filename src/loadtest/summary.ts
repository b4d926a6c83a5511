import { ascending, mean, quantile } from "./quantile.ts";
import type { Outcome, RequestRecord } from "./send.ts";

/** What a good answer keeps. Undefined: no such objective. */
export interface Objectives {
  readonly ttftMs?: number;
  readonly itlMs?: number;
  /** Which figure of an answer's times between tokens is held against `itlMs`. */
  readonly itlStat: "mean" | "p95";
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** Requests of one class, or of all. */
export interface ClassSummary {
  readonly class: string;
  readonly requests: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  readonly e2eMs: Percentiles;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly promptTokensPerSecond: number;
  readonly completionTokensPerSecond: number;
  /**
   * Requests that kept all objectives, their share of all that were due and not cut off, and so many per
   * second.
   */
  readonly good: number;
  readonly goodShare: number | null;
  readonly goodPerSecond: number;
}

/** All of a load test. */
export interface LoadSummary {
  /** From the beginning of the load to the end of its last request. */
  readonly seconds: number;
  readonly all: ClassSummary;
  readonly classes: readonly ClassSummary[];
  /** What went wrong and how often, by status: 0 where there was none. */
  readonly problems: readonly { status: number; problem: string; count: number }[];
  /** How much later than due the generator sent its requests. */
  readonly lagMs: Percentiles;
  readonly lagMaxMs: number;
  /** Requests with fewer parts than tokens: times between parts are then times between several tokens. */
  readonly severalTokensInAPart: number;
}

/** Puts the records of a load test together. */
export function summarize(records: readonly RequestRecord[], objectives: Objectives): LoadSummary {
  const endMs = records.reduce((end, record) => Math.max(end, record.endMs), 0);
  const seconds = endMs / 1000;
  const names = [...new Set(records.map((record) => record.class))].sort();
  const of = (name: string) => records.filter((record) => record.class === name);
  const lags = ascending(records.map(({ sentMs, dueMs }) => Math.max(0, sentMs - dueMs)));
  return {
    seconds,
    all: summarizeClass("all", records, seconds, objectives),
    classes: names.map((name) => summarizeClass(name, of(name), seconds, objectives)),
    problems: countProblems(records),
    lagMs: percentiles(lags),
    lagMaxMs: lags.at(-1) ?? 0,
    severalTokensInAPart: records.filter(({ outcome, completionTokens, partsMs }) =>
      // An end token has no text of its own.
      outcome === "ok" && completionTokens > 1.25 * partsMs.length + 1
    ).length,
  };
}

function summarizeClass(
  name: string,
  records: readonly RequestRecord[],
  seconds: number,
  objectives: Objectives,
): ClassSummary {
  const outcomes: Record<Outcome, number> = { ok: 0, refused: 0, failed: 0, cut: 0, skipped: 0 };
  for (const { outcome } of records) outcomes[outcome]++;
  const ok = records.filter(({ outcome }) => outcome === "ok");
  const begun = records.filter(({ partsMs }) => partsMs.length > 0);
  const sum = (read: (record: RequestRecord) => number) =>
    begun.reduce((total, each) => total + read(each), 0);
  const promptTokens = sum((record) => record.promptTokens);
  // What was cut off has no usage yet.
  const completionTokens = sum((record) => Math.max(record.completionTokens, record.partsMs.length));
  const good = ok.filter((record) => isGood(record, objectives)).length;
  const judged = records.length - outcomes.cut;
  return {
    class: name,
    requests: records.length,
    outcomes,
    ttftMs: percentiles(ascending(begun.map(ttftOf))),
    itlMs: percentiles(ascending(begun.flatMap(gapsOf))),
    e2eMs: percentiles(ascending(ok.map(({ endMs, sentMs }) => endMs - sentMs))),
    promptTokens,
    completionTokens,
    cachedTokens: sum((record) => record.cachedTokens),
    promptTokensPerSecond: perSecond(promptTokens, seconds),
    completionTokensPerSecond: perSecond(completionTokens, seconds),
    good,
    goodShare: judged === 0 ? null : good / judged,
    goodPerSecond: perSecond(good, seconds),
  };
}

/** Whether an answer has kept the objectives. */
export function isGood(record: RequestRecord, { ttftMs, itlMs, itlStat }: Objectives): boolean {
  if (record.outcome !== "ok") return false;
  if (ttftMs !== undefined && ttftOf(record) > ttftMs) return false;
  if (itlMs === undefined || record.partsMs.length < 2) return true;
  return (itlStat === "mean" ? meanItl(record) : quantile(ascending(gapsOf(record)), 0.95)) <= itlMs;
}

/** Ms from the request to the first part of its answer. */
export function ttftOf({ partsMs, sentMs }: RequestRecord): number {
  return partsMs[0] - sentMs;
}

/** Ms between the parts of an answer. */
export function gapsOf({ partsMs }: RequestRecord): number[] {
  return partsMs.slice(1).map((at, i) => at - partsMs[i]);
}

/** By tokens where the server tells how many there were, as several may come in one part. */
function meanItl(record: RequestRecord): number {
  const { partsMs, completionTokens } = record;
  if (completionTokens <= partsMs.length) return mean(gapsOf(record));
  return (partsMs[partsMs.length - 1] - partsMs[0]) / (completionTokens - 1);
}

function countProblems(records: readonly RequestRecord[]): LoadSummary["problems"] {
  const counts = new Map<string, { status: number; problem: string; count: number }>();
  for (const { outcome, status, problem } of records) {
    if (outcome !== "refused" && outcome !== "failed") continue;
    const key = `${status} ${problem}`;
    const entry = counts.get(key) ?? { status, problem: problem ?? "", count: 0 };
    entry.count++;
    counts.set(key, entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

function percentiles(sorted: readonly number[]): Percentiles {
  const at = (q: number) => sorted.length === 0 ? null : quantile(sorted, q);
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

function perSecond(count: number, seconds: number): number {
  return seconds > 0 ? count / seconds : 0;
}
