/** Traffic as a picture, and as a page around it. @module */

import type { TrafficSummary } from "./describe.ts";
import type { Traffic } from "./traffic.ts";

const WIDTH = 920, PANEL = 230, LEFT = 70, RIGHT = 20, TOP = 34, BOTTOM = 42;
const PROMPT_COLOR = "#0969da", ANSWER_COLOR = "#bc4c00", REQUEST_COLOR = "#1a7f37";

/** One bar: its place on the axis from 0 to 1, its width, its height. */
interface Bar {
  readonly at: number;
  readonly width: number;
  readonly height: number;
  readonly color: string;
  readonly label: string;
}

/** A panel of bars. */
interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
  readonly ticks: readonly { readonly at: number; readonly text: string }[];
  readonly key: readonly { readonly text: string; readonly color: string }[];
}

/** Arrivals over time, tokens over time, lengths of prompts and answers, one below the other, as SVG. */
export function drawTraffic(traffic: Traffic, summary: TrafficSummary): string {
  const panels = [arrivalsPanel(summary), tokensPanel(summary), lengthsPanel(traffic)];
  const height = 40 + PANEL * panels.length;
  const title = `${summary.all.requests} requests in ${formatSpan(summary.seconds)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escapeText(title)}">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    ...panels.map((panel, i) => `<g transform="translate(0 ${40 + i * PANEL})">${drawPanel(panel)}</g>`),
    "</svg>\n",
  ].join("");
}

/** The picture and the figures as one page that needs nothing else. `tables`: plain texts. */
export function trafficPage(title: string, tables: readonly string[], svg: string): string {
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)}</title>`,
    `<meta name="viewport" content="width=device-width"><style>body{font-family:system-ui,sans-serif;`,
    `max-width:${WIDTH}px;margin:2rem auto;padding:0 1rem}svg{width:100%;height:auto}pre{overflow-x:auto;`,
    `background:#f6f8fa;padding:1rem}</style></head><body><h1>${escapeText(title)}</h1>`,
    svg,
    ...tables.map((table) => `<pre>${escapeText(table)}</pre>`),
    "</body></html>\n",
  ].join("");
}

function arrivalsPanel({ bins, binSeconds, started, seconds }: TrafficSummary): Panel {
  const count = bins.length;
  return {
    title: `Requests in each ${formatSpan(binSeconds)}`,
    bars: bins.map(({ requests }, i) => ({
      at: i / count,
      width: 1 / count,
      height: requests,
      color: REQUEST_COLOR,
      label: `${requests} requests`,
    })),
    ticks: timeTicks(started, seconds, count * binSeconds),
    key: [],
  };
}

function tokensPanel({ bins, binSeconds, started, seconds }: TrafficSummary): Panel {
  const count = bins.length;
  const bar = (i: number, half: number, tokens: number, color: string): Bar => ({
    at: (i + half / 2) / count,
    width: 0.5 / count,
    height: tokens / binSeconds,
    color,
    label: `${Math.round(tokens / binSeconds)} tokens/s`,
  });
  return {
    title: "Tokens per second",
    bars: bins.flatMap(({ promptTokens, answerTokens }, i) => [
      bar(i, 0, promptTokens, PROMPT_COLOR),
      bar(i, 1, answerTokens, ANSWER_COLOR),
    ]),
    ticks: timeTicks(started, seconds, count * binSeconds),
    key: LENGTH_KEY,
  };
}

const LENGTH_KEY = [
  { text: "prompts", color: PROMPT_COLOR },
  { text: "answers", color: ANSWER_COLOR },
];

/** Shares of requests by length, in steps of a factor of two. */
function lengthsPanel({ requests }: Traffic): Panel {
  const stepOf = (tokens: number) => tokens < 1 ? 0 : Math.floor(Math.log2(tokens)) + 1;
  // Recordings have more requests than a call has arguments.
  const longest = requests.reduce((most, each) => Math.max(most, each.promptTokens, each.answerTokens), 0);
  const steps = stepOf(longest) + 1;
  const bars = (pick: "promptTokens" | "answerTokens", half: number, color: string) => {
    const counts = new Array<number>(steps).fill(0);
    for (const request of requests) counts[stepOf(request[pick])]++;
    return counts.map((count, i) => ({
      at: (i + half / 2) / steps,
      width: 0.5 / steps,
      height: 100 * count / requests.length,
      color,
      label: `${(100 * count / requests.length).toFixed(1)} %`,
    }));
  };
  return {
    title: "Lengths in tokens, % of the requests",
    bars: [...bars("promptTokens", 0, PROMPT_COLOR), ...bars("answerTokens", 1, ANSWER_COLOR)],
    ticks: Array.from({ length: steps }, (_, i) => ({
      at: (i + 0.5) / steps,
      text: i < 2 ? `${i}` : i < 11 ? `${2 ** (i - 1)}+` : `${2 ** (i - 11)}k+`,
    })),
    key: LENGTH_KEY,
  };
}

/** About eight times on an axis of so many seconds. */
function timeTicks(started: string | null, seconds: number, axisSeconds: number): Panel["ticks"] {
  const count = 8;
  return Array.from({ length: count }, (_, i) => {
    const at = i / count, after = at * axisSeconds;
    if (started === null) return { at, text: `+${formatSpan(after)}` };
    const date = new Date(Date.parse(started) + 1000 * after).toISOString();
    return {
      at,
      text: seconds > 2 * 86_400
        ? date.slice(5, 10)
        : seconds < 600
        ? date.slice(11, 19)
        : date.slice(11, 16),
    };
  });
}

function drawPanel({ title, bars, ticks, key }: Panel): string {
  const width = WIDTH - LEFT - RIGHT, height = PANEL - TOP - BOTTOM;
  const most = niceMax(Math.max(...bars.map((bar) => bar.height)));
  const parts = [`<text x="${LEFT}" y="20" font-weight="600">${escapeText(title)}</text>`];
  for (const share of [0, 0.5, 1]) {
    const y = TOP + height * (1 - share);
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${formatNumber(most * share)}</text>`,
    );
  }
  for (const bar of bars) {
    const tall = height * bar.height / most;
    parts.push(
      `<rect x="${round(LEFT + width * bar.at)}" y="${round(TOP + height - tall)}"`,
      ` width="${round(Math.max(0.4, width * bar.width * 0.9))}" height="${
        round(tall)
      }" fill="${bar.color}">`,
      `<title>${escapeText(bar.label)}</title></rect>`,
    );
  }
  for (const { at, text } of ticks) {
    parts.push(`<text x="${round(LEFT + width * at)}" y="${PANEL - BOTTOM + 18}">${escapeText(text)}</text>`);
  }
  key.forEach(({ text, color }, i) => {
    const x = WIDTH - RIGHT - 90 * (key.length - i);
    parts.push(
      `<rect x="${x}" y="10" width="11" height="11" fill="${color}"/><text x="${
        x + 16
      }" y="20">${text}</text>`,
    );
  });
  return parts.join("");
}

/** The next round number. */
function niceMax(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 5, 7.5, 10].map((digit) => digit * power).find((each) => each >= value) ??
    10 * power;
}

function formatNumber(value: number): string {
  return value >= 1e6
    ? `${value / 1e6} M`
    : value >= 1e4
    ? `${value / 1e3} k`
    : `${Number(value.toPrecision(3))}`;
}

/** 90 → "1.5 min". */
export function formatSpan(seconds: number): string {
  const [size, unit] = seconds < 60
    ? [1, "s"]
    : seconds < 3600
    ? [60, "min"]
    : seconds < 2 * 86_400
    ? [3600, "h"]
    : [86_400, "days"];
  return `${Number((seconds / (size as number)).toPrecision(3))} ${unit}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
