/** A load test's results as people read them. @module */

import { renderDistributions } from "../loadtest/svg_plot.ts";
import type { FoundRate } from "../loadtest/find_rate.ts";
import { ascending } from "../loadtest/quantile.ts";
import type { RequestRecord } from "../loadtest/send.ts";
import type { ClassSummary, LoadSummary, Objectives, Percentiles } from "../loadtest/summary.ts";
import { renderTable } from "./table.ts";
import { formatFigure } from "./units.ts";

/** Lag of the generator from which on its own lateness spoils the figures. */
const LAG_MS = 20;

/** The tables, and what a reader has to know of them. */
export function renderSummary(summary: LoadSummary, objectives: Objectives): string {
  const classes = summary.classes.length > 1 ? [summary.all, ...summary.classes] : [summary.all];
  const parts = [
    renderTable(
      ["", "TTFT p50", "p90", "p99 ms", "ITL p50", "p90", "p99 ms", "E2E p50", "p90", "p99 ms"],
      classes.map((each) => [each.class, ...[each.ttftMs, each.itlMs, each.e2eMs].flatMap(cells)]),
    ),
    renderTable(
      ["", "requests", "ok", "refused", "failed", "cut", "skipped", "tokens in/s", "out/s", "good", "good/s"],
      classes.map((each) => countCells(each)),
    ),
  ];
  const { problems, lagMs, lagMaxMs, seconds } = summary;
  if (problems.length > 0) {
    parts.push(renderTable(
      ["status", "times", "problem"],
      problems.slice(0, 10).map(({ status, problem, count }) => [
        status === 0 ? "none" : `${status}`,
        `${count}`,
        problem,
      ]),
    ));
  }
  const lines = [
    `${formatFigure(seconds)} s; requests left ${ms(lagMs.p99)} ms late at p99, ${ms(lagMaxMs)} at most`,
  ];
  if ((lagMs.p99 ?? 0) > LAG_MS) {
    lines.push("the load generator itself was late: use another machine, or less load");
  }
  if (summary.all.outcomes.skipped > 0) {
    lines.push(`${summary.all.outcomes.skipped} requests were not sent: see --max-in-flight`);
  }
  if (summary.severalTokensInAPart > 0) {
    lines.push("several tokens came in one part: ITL is then the time between parts, its mean counts tokens");
  }
  const { cachedTokens, promptTokens } = summary.all;
  if (cachedTokens > 0) {
    lines.push(
      `${(100 * cachedTokens / promptTokens).toFixed(1)} % of the prompts' tokens came from a prefix cache`,
    );
  }
  lines.push(describeObjectives(objectives));
  parts.push(lines.join("\n"));
  return parts.join("\n\n");
}

function countCells(each: ClassSummary): string[] {
  const { outcomes: { ok, refused, failed, cut, skipped }, goodShare } = each;
  return [
    each.class,
    ...[each.requests, ok, refused, failed, cut, skipped].map(String),
    formatFigure(each.promptTokensPerSecond),
    formatFigure(each.completionTokensPerSecond),
    goodShare === null ? "-" : `${(100 * goodShare).toFixed(1)} %`,
    formatFigure(each.goodPerSecond),
  ];
}

function describeObjectives({ ttftMs, itlMs, itlStat }: Objectives): string {
  const parts = [];
  if (ttftMs !== undefined) parts.push(`TTFT ≤ ${ttftMs} ms`);
  if (itlMs !== undefined) parts.push(`${itlStat} ITL ≤ ${itlMs} ms`);
  return `good: answered to the end${parts.map((part) => `, ${part}`).join("")}`;
}

function cells({ p50, p90, p99 }: Percentiles): string[] {
  return [p50, p90, p99].map(ms);
}

function ms(value: number | null): string {
  if (value === null) return "-";
  return value.toFixed(value < 10 ? 1 : 0);
}

export function renderFoundRate({ perSecond, above, tries }: FoundRate, share: number): string {
  const table = renderTable(
    ["requests/s", "good", "kept"],
    tries.toSorted((a, b) => a.perSecond - b.perSecond).map(({ perSecond, goodShare }) => [
      formatFigure(perSecond),
      // A rate that cannot be kept any more is given up early.
      `${goodShare < share ? "≤ " : ""}${(100 * goodShare).toFixed(1)} %`,
      goodShare >= share ? "yes" : "no",
    ]),
  );
  const need = `${(100 * share).toFixed(0)} % of the requests`;
  if (perSecond === null) return `${table}\n\nnot even ${formatFigure(above!)} requests/s keep ${need} good`;
  const end = above === null ? ", the highest rate tried" : `; ${formatFigure(above)} does not`;
  return `${table}\n\n${formatFigure(perSecond)} requests/s keep ${need} good${end}`;
}

const COLORS = ["#0a6", "#06c", "#c60", "#808", "#666", "#a00"];

/** Distributions of the times by class, as a picture. */
export function drawLoad(records: readonly RequestRecord[], objectives: Objectives, title: string): string {
  const begun = records.filter(({ partsMs }) => partsMs.length > 0);
  const names = [...new Set(begun.map((record) => record.class))].sort();
  const panel = (
    name: string,
    axis: string,
    read: (record: RequestRecord) => number[],
    objective?: number,
  ) => ({
    title: name,
    axis,
    lines: names.map((label, i) => ({
      label,
      color: COLORS[i % COLORS.length],
      // Parts that came together: the axis is logarithmic.
      values: ascending(begun.filter((each) => each.class === label).flatMap(read)).map((value) =>
        Math.max(value, 0.01)
      ),
    })).filter(({ values }) => values.length > 0),
    mark: objective === undefined ? undefined : { value: objective, label: `objective ${objective} ms` },
  });
  return renderDistributions(
    title,
    [
      panel(
        "Time to the first token",
        "TTFT, ms",
        ({ partsMs, sentMs }) => [partsMs[0] - sentMs],
        objectives.ttftMs,
      ),
      panel(
        "Time between tokens",
        "ITL, ms",
        ({ partsMs }) => partsMs.slice(1).map((at, i) => at - partsMs[i]),
        objectives.itlMs,
      ),
    ].filter(({ lines }) => lines.length > 0),
  );
}
