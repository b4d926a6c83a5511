/** What a run's requests and the server's own figures say. @module */

import { ascending, quantile } from "../loadtest/quantile.ts";
import type { RequestRecord } from "../loadtest/send.ts";
import { gapsOf, ttftOf } from "../loadtest/summary.ts";
import { keptObjectives } from "./objectives.ts";
import type { ClassMeasures, Measures, TrialObjectives, TrialPercentiles } from "./report_data.ts";

/** What was seen of the server while the requests were under way. */
export type ServerFigures = Pick<Measures, "residentBytes" | "kv" | "preemptions" | "cpuShare">;

/** Of a server that tells nothing of itself. */
export const NO_FIGURES: ServerFigures = { residentBytes: null, kv: null, preemptions: null, cpuShare: null };

/**
 * Puts a run together. `offeredSeconds`: in which requests were sent. Rates are over that time, or the longer one
 * until the server had caught up: the end of the last request, less the time that an answer takes once it has
 * begun.
 */
export function measuresOf(
  records: readonly RequestRecord[],
  offeredSeconds: number,
  objectives: TrialObjectives,
  figures: ServerFigures,
): Measures {
  const ended = records.filter(({ partsMs }) => partsMs.length > 0);
  const answering = ascending(ended.map(({ partsMs, endMs }) => endMs - partsMs[0]));
  const lastMs = Math.max(0, ...records.map(({ endMs }) => endMs));
  const answerMs = answering.length > 0 ? quantile(answering, 0.5) : 0;
  const seconds = Math.max(offeredSeconds, (lastMs - answerMs) / 1000);
  const names = [...new Set(records.map((record) => record.class))].sort();
  const lags = ascending(records.map(({ sentMs, dueMs }) => Math.max(0, sentMs - dueMs)));
  return {
    seconds,
    all: classMeasures("all", records, seconds, objectives),
    classes: names.map((name) =>
      classMeasures(name, records.filter((record) => record.class === name), seconds, objectives)
    ),
    ...figures,
    lagP99Ms: lags.length === 0 ? null : quantile(lags, 0.99),
  };
}

function classMeasures(
  name: string,
  records: readonly RequestRecord[],
  seconds: number,
  objectives: TrialObjectives,
): ClassMeasures {
  const count = (outcome: RequestRecord["outcome"]) =>
    records.filter((each) => each.outcome === outcome).length;
  const begun = records.filter(({ partsMs }) => partsMs.length > 0);
  const ok = records.filter(({ outcome }) => outcome === "ok");
  const sum = (read: (record: RequestRecord) => number) =>
    begun.reduce((total, each) => total + read(each), 0);
  const promptTokens = sum((record) => record.promptTokens);
  // What was cut off has no usage yet.
  const answerTokens = sum((record) => Math.max(record.completionTokens, record.partsMs.length));
  const good = records.filter((record) => keptObjectives(record, objectives)).length;
  return {
    class: name,
    requests: records.length,
    ok: ok.length,
    refused: count("refused"),
    failed: count("failed") + count("skipped"),
    cut: count("cut"),
    ttftMs: percentiles(begun.map(ttftOf)),
    itlMs: percentiles(begun.flatMap(gapsOf)),
    e2eMs: percentiles(ok.map(({ endMs, sentMs }) => endMs - sentMs)),
    promptTokens,
    cachedTokens: sum((record) => record.cachedTokens),
    answerTokens,
    promptTokensPerSecond: promptTokens / seconds,
    answerTokensPerSecond: answerTokens / seconds,
    good,
    goodShare: records.length === 0 ? null : good / records.length,
    goodPerSecond: good / seconds,
  };
}

function percentiles(values: readonly number[]): TrialPercentiles {
  const sorted = ascending(values);
  const at = (q: number) => sorted.length === 0 ? null : quantile(sorted, q);
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}
