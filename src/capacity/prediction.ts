/** Records of a simulation, or of a load test, as the figures that predictions are about. @module */

import { ascending, quantile } from "../loadtest/quantile.ts";
import type { RequestRecord } from "../loadtest/send.ts";

/** Quantiles in ms; null where there is nothing. */
export interface PredictedPercentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Requests of one class, or of all. */
export interface PredictedClass {
  readonly class: string;
  readonly requests: number;
  readonly refused: number;
  readonly ttftMs: PredictedPercentiles;
  readonly itlMs: PredictedPercentiles;
  readonly e2eMs: PredictedPercentiles;
  readonly goodShare: number;
}

/** All requests, and what so many machines like this do in a second. */
export interface Prediction extends PredictedClass {
  /** From the first request to the end of the last. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly goodPerSecond: number;
  readonly answerTokensPerSecond: number;
  readonly promptTokensPerSecond: number;
  /** Share of the prompts' tokens that prefix caches had. */
  readonly cachedShare: number;
}

/** Puts records together; `machines`: so many have each such a load. */
export function predictionOf(
  records: readonly RequestRecord[],
  isGood: (record: RequestRecord) => boolean = ({ outcome }) => outcome === "ok",
  machines = 1,
): Prediction {
  const sum = (read: (record: RequestRecord) => number) =>
    records.reduce((total, each) => total + read(each), 0);
  const startMs = records.reduce((first, { sentMs }) => Math.min(first, sentMs), Infinity);
  const endMs = records.reduce((last, record) => Math.max(last, record.endMs), 0);
  const seconds = Math.max(1e-9, (endMs - startMs) / 1000);
  const rate = (amount: number) => machines * amount / seconds;
  const promptTokens = sum((record) => record.promptTokens);
  return {
    ...summarize("all", records, isGood),
    seconds,
    requestsPerSecond: rate(records.length),
    goodPerSecond: rate(records.filter(isGood).length),
    answerTokensPerSecond: rate(
      sum(({ completionTokens, partsMs }) => Math.max(completionTokens, partsMs.length)),
    ),
    promptTokensPerSecond: rate(promptTokens),
    cachedShare: promptTokens === 0 ? 0 : sum(({ cachedTokens }) => cachedTokens) / promptTokens,
  };
}

/** The same by class, in the order of their names. */
export function predictedClasses(
  records: readonly RequestRecord[],
  isGood: (record: RequestRecord) => boolean,
): PredictedClass[] {
  const names = [...new Set(records.map((record) => record.class))].sort();
  return names.map((name) => summarize(name, records.filter((record) => record.class === name), isGood));
}

function summarize(
  name: string,
  records: readonly RequestRecord[],
  isGood: (record: RequestRecord) => boolean,
): PredictedClass {
  const begun = records.filter(({ partsMs }) => partsMs.length > 0);
  return {
    class: name,
    requests: records.length,
    refused: records.filter(({ outcome }) => outcome === "refused").length,
    ttftMs: percentiles(begun.map(({ partsMs, sentMs }) => partsMs[0] - sentMs)),
    itlMs: percentiles(begun.flatMap(({ partsMs }) => partsMs.slice(1).map((at, i) => at - partsMs[i]))),
    e2eMs: percentiles(
      records.filter(({ outcome }) => outcome === "ok").map(({ endMs, sentMs }) => endMs - sentMs),
    ),
    goodShare: records.length === 0 ? 1 : records.filter(isGood).length / records.length,
  };
}

function percentiles(values: readonly number[]): PredictedPercentiles {
  const sorted = ascending(values);
  const at = (q: number) => sorted.length === 0 ? null : quantile(sorted, q);
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}
