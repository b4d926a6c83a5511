/** Traffic as people read it in a terminal. @module */

import type { LengthSummary, SharingSummary, TrafficSummary } from "../traffic/describe.ts";
import { formatSpan } from "../traffic/draw.ts";
import { FORMAT_NAMES } from "../traffic/traffic.ts";
import { counted } from "./counted.ts";
import { renderTable } from "./table.ts";
import { formatFigure } from "./units.ts";

const BAR_WIDTH = 40;
/** Lines of the table of arrivals: neighbouring bins are put together until there are no more. */
const ROWS_MAX = 24;

/** The tables, one text each. */
export function renderTraffic(summary: TrafficSummary): string[] {
  return [
    renderHead(summary),
    renderClasses(summary),
    renderArrivals(summary),
    renderSharing(summary.sharing),
  ];
}

function renderHead(summary: TrafficSummary): string {
  const { format, started, seconds, refused, skippedLines, burstiness, all } = summary;
  const from = started === null ? "" : `, from ${started.slice(0, 19).replace("T", " ")} UTC`;
  const lines = [
    `${counted(all.requests, "request")} in ${formatSpan(seconds)}${from} (${FORMAT_NAMES[format]})`,
    `${formatFigure(all.perSecond)} requests/s on average`,
  ];
  for (const peak of [summary.peakHour, summary.peakMinute]) {
    if (peak === null) continue;
    const rate = `${formatFigure(peak.perSecond)} requests/s`;
    lines.push(`busiest ${formatSpan(peak.seconds)}: ${rate}, ${timeOf(started, peak.fromMs)}`);
  }
  if (burstiness !== null) {
    lines.push(`burstiness ${formatFigure(burstiness)} (1: as if everybody came by chance; more: in bursts)`);
  }
  if (refused > 0) lines.push(`${counted(refused, "request")} refused, of unknown length`);
  if (skippedLines > 0) lines.push(`${counted(skippedLines, "line")} left out`);
  return lines.join("\n");
}

function timeOf(started: string | null, ms: number): string {
  if (started === null) return `${formatSpan(ms / 1000)} after the beginning`;
  return `from ${new Date(Date.parse(started) + ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function renderClasses({ all, classes }: TrafficSummary): string {
  const rows = classes.length > 1 || classes[0]?.class !== "" ? [all, ...classes] : [all];
  const cells = ({ mean, p50, p90, p99, max }: LengthSummary) =>
    [mean, p50, p90, p99, max].map((n) => n.toFixed(0));
  return renderTable(
    [
      "",
      "requests",
      "prompt mean",
      "p50",
      "p90",
      "p99",
      "max",
      "answer mean",
      "p50",
      "p90",
      "p99",
      "max",
      "in/s",
      "out/s",
    ],
    rows.map((each) => [
      each.class === "" ? "(no class)" : each.class,
      `${each.requests}`,
      ...cells(each.promptTokens),
      ...cells(each.answerTokens),
      formatFigure(each.promptTokensPerSecond),
      formatFigure(each.answerTokensPerSecond),
    ]),
  );
}

function renderArrivals({ bins, binSeconds, started, hours }: TrafficSummary): string {
  const merge = Math.ceil(bins.length / ROWS_MAX);
  const rows = Array.from({ length: Math.ceil(bins.length / merge) }, (_, i) => {
    const part = bins.slice(i * merge, (i + 1) * merge);
    return { fromMs: part[0].fromMs, requests: part.reduce((sum, { requests }) => sum + requests, 0) };
  });
  const most = Math.max(...rows.map(({ requests }) => requests));
  const table = renderTable(
    ["from", "requests", `in each ${formatSpan(merge * binSeconds)}`],
    rows.map(({ fromMs, requests }) => [
      started === null
        ? `+${formatSpan(fromMs / 1000)}`
        : new Date(Date.parse(started) + fromMs).toISOString().slice(5, 19).replace("T", " "),
      `${requests}`,
      "#".repeat(Math.round(BAR_WIDTH * requests / most)),
    ]),
  );
  if (hours === null) return table;
  const busiest = hours.indexOf(Math.max(...hours));
  return `${table}\n\nbusiest hour of the day: ${busiest}:00 to ${busiest + 1}:00 UTC, ${
    hours[busiest]
  } requests`;
}

function renderSharing(
  { sharedShare, cachedShare, sharingRequests, common, blockTokens }: SharingSummary,
): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const lines: string[] = [];
  if (sharedShare === null || sharingRequests === null) {
    lines.push("what prompts have in common is not recorded");
  } else {
    lines.push(
      `${
        percent(sharedShare)
      } of the prompts' tokens repeat the beginning of an earlier prompt, by blocks of ${blockTokens}; ` +
        `${percent(sharingRequests)} of the requests have such a beginning`,
    );
  }
  if (cachedShare !== null) {
    lines.push(`${percent(cachedShare)} came from a prefix cache when it was recorded`);
  }
  if (common.length === 0) return lines.join("\n");
  const table = renderTable(
    ["requests", "begin with the same tokens"],
    common.map(({ requests, tokens }) => [`${requests}`, `${tokens}`]),
  );
  return `${lines.join("\n")}\n\n${table}`;
}
