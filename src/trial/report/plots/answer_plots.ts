/** Quality, energy, traffic and the search: one bar or range a line. @module */

import type { JoulesPerToken, PointSettings, TrialPoint, TrialQuantiles } from "../../report_data.ts";
import type { Markup } from "../markup.ts";
import { badge, type Page } from "../page.ts";
import { COLORS, figure, fitted, hatched, labelRoom, Plot } from "./draw.ts";

/** Room for labels beside a plot's lines, in pixels, and for those of settings, of which every part counts. */
const ROOM = { narrow: 150, wide: 300, settings: 205 } as const;

/** The rows with labels that fit and differ, these labels, and the room that they take. */
function labelled<T extends { readonly label: string }>(
  rows: readonly T[],
  isNarrow: boolean,
  narrowMax: number = ROOM.narrow,
) {
  const times = new Map<string, number>();
  const fitting = rows.map((row) => {
    const label = fitted(row.label, isNarrow ? narrowMax : ROOM.wide);
    const time = (times.get(label) ?? 0) + 1;
    times.set(label, time);
    return { ...row, label: time === 1 ? label : `${label} (${time})` };
  });
  const labels = fitting.map(({ label }) => label);
  return { rows: fitting, labels, room: labelRoom(labels) };
}

/** Wilson's interval of a share, with 95 %: the bounds stay within 0 and 1 for few questions, too. */
export function wilson(passed: number, graded: number): [low: number, high: number] {
  const z = 1.96;
  const share = passed / graded;
  const middle = (share + z * z / (2 * graded)) / (1 + z * z / graded);
  const half = z / (1 + z * z / graded) * Math.sqrt(share * (1 - share) / graded + (z / (2 * graded)) ** 2);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export function qualityFigure(page: Page): Markup | null {
  const { report: { quality }, t, f } = page;
  const graded = quality?.results.filter((each) => each.graded > 0) ?? [];
  if (quality === null || graded.length === 0) return null;
  const allBars = graded.map((each) => {
    const [low, high] = wilson(each.passed, each.graded);
    const color = each.subject === "model" ? COLORS.here : COLORS.other;
    const label = t.quality.here(each.name, each.quantisation);
    return { label, share: each.passed / each.graded, low, high, color };
  });
  return figure({
    title: t.quality.figure,
    note: t.quality.figureNote(f.count(quality.questions)),
    label: t.quality.figure,
    draw: ({ isNarrow }) => {
      const { rows: bars, labels, room } = labelled(allBars, isNarrow);
      return {
        height: 60 + 34 * bars.length,
        marginLeft: room,
        marginRight: 46,
        marginTop: 8,
        marginBottom: 42,
        x: {
          label: t.quality.axis,
          domain: [0, 1],
          tickFormat: (share: number) => f.percent(share),
          ticks: isNarrow ? 3 : 6,
        },
        y: { label: null, domain: labels },
        marks: [
          Plot.barX(bars, { x: "share", y: "label", fill: "color", insetTop: 5, insetBottom: 5 }),
          Plot.ruleY(bars, { x1: "low", x2: "high", y: "label", stroke: "#111", strokeWidth: 1.5 }),
          Plot.tickX(bars.flatMap(({ label, low, high }) => [{ label, x: low }, { label, x: high }]), {
            x: "x",
            y: "label",
            stroke: "#111",
            insetTop: 9,
            insetBottom: 9,
          }),
          Plot.text(bars, {
            x: 1,
            y: "label",
            dx: 6,
            textAnchor: "start",
            text: ({ share }: { share: number }) => f.percent(share),
          }),
        ],
      };
    },
  });
}

/** Joules for a token; estimates are hatched, and their axis says so. */
export function energyFigure(page: Page): Markup | null {
  const { report: { energy: { measured, estimated } }, t, f } = page;
  const joules: JoulesPerToken | undefined = measured?.joulesPerToken ?? estimated?.estimatedJoulesPerToken;
  if (joules === undefined) return null;
  const isEstimate = measured === null;
  const allBars = [
    { label: t.energy.perAnswer, value: joules.perAnswerToken },
    { label: t.energy.prefill, value: joules.prefill },
    { label: t.energy.decode, value: joules.decode },
    ...Object.entries(joules.classes).map(([name, value]) => ({ label: t.energy.ofClass(name), value })),
  ].filter(({ value }) => value !== null).map((bar) => ({ ...bar, label: bar.label }));
  const [color, fill] = isEstimate ? [COLORS.third, hatched(COLORS.third)] : [COLORS.here, COLORS.here];
  return figure({
    title: isEstimate ? t.energy.figureEstimated : t.energy.figure,
    badge: isEstimate ? badge("estimated", page) : undefined,
    kind: isEstimate ? "estimated" : "measured",
    label: isEstimate ? t.energy.figureEstimated : t.energy.figure,
    draw: ({ isNarrow }) => {
      const { rows: bars, labels, room } = labelled(allBars, isNarrow);
      return {
        height: 60 + 30 * bars.length,
        marginLeft: room,
        marginRight: 60,
        marginTop: 8,
        marginBottom: 42,
        x: {
          label: isEstimate ? t.energy.axisEstimated : t.energy.axis,
          zero: true,
          ticks: isNarrow ? 3 : 6,
        },
        y: { label: null, domain: labels },
        marks: [
          Plot.barX(bars, {
            x: "value",
            y: "label",
            fill,
            stroke: color,
            strokeDasharray: isEstimate ? "4 3" : undefined,
            insetTop: 4,
            insetBottom: 4,
          }),
          Plot.text(bars, {
            x: "value",
            y: "label",
            dx: 6,
            textAnchor: "start",
            text: ({ value }: { value: number }) =>
              `${isEstimate ? "≈ " : ""}${f.number(value, isEstimate ? 2 : 3)}`,
          }),
        ],
      };
    },
  });
}

/** Lengths of prompts and answers by class. */
export function lengthsFigure(page: Page): Markup | null {
  const { report: { traffic }, t, f } = page;
  if (traffic.classes.length === 0) return null;
  const range = (name: string, what: string, { p50, p99 }: TrialQuantiles, color: string) => ({
    label: `${name}: ${what}`,
    p50: Math.max(1, p50),
    p99: Math.max(1, p99),
    color,
  });
  const allRows = traffic.classes.flatMap(({ class: name, promptTokens, answerTokens }) => [
    range(name, t.traffic.prompt, promptTokens, COLORS.other),
    range(name, t.traffic.answer, answerTokens, COLORS.here),
  ]);
  return figure({
    title: t.traffic.figure,
    note: t.traffic.figureNote,
    label: t.traffic.figure,
    draw: ({ isNarrow }) => {
      const { rows: rows, labels, room } = labelled(allRows, isNarrow);
      return {
        height: 60 + 28 * rows.length,
        marginLeft: room,
        marginRight: 24,
        marginTop: 8,
        marginBottom: 42,
        x: {
          type: "log",
          label: t.traffic.axis,
          grid: true,
          ticks: isNarrow ? 3 : 6,
          tickFormat: (n: number) => f.count(n),
        },
        y: { label: null, domain: labels },
        marks: [
          Plot.ruleY(rows, { x1: "p50", x2: "p99", y: "label", stroke: "color", strokeWidth: 7 }),
          Plot.dot(rows, { x: "p50", y: "label", r: 5, fill: "#fff", stroke: "color", strokeWidth: 2 }),
        ],
      };
    },
  });
}

/** Settings of a point in a few words, such as "1 × 2, 32 at once, 256, f16". */
export function settingsLabel({ t, f }: Page, settings: PointSettings): string {
  const { workers, threads, sequencesMax, batchTokens, kvFormat, prefixCache, maxWaitMs, cpus } = settings;
  return [
    `${workers}×${threads}`,
    ...cpus === null ? [] : [cpus],
    f.count(sequencesMax),
    f.count(batchTokens),
    ...maxWaitMs > 0 ? [f.time(maxWaitMs)] : [],
    kvFormat,
    ...prefixCache ? [] : [`${t.search.settings.prefixCache} ${t.search.off}`],
  ].join(" · ");
}

/** The last measures of a point; undefined where it has none. */
export function lastRun(point: TrialPoint) {
  return point.runs.at(-1)?.measures;
}

/** Points in a plot: beyond, the table has them. */
const POINTS_MAX = 20;

export function searchFigure(page: Page): Markup | null {
  const { report: { search }, t, f, word } = page;
  const allPoints = search.points.flatMap((point) => {
    const goodput = lastRun(point)?.all.goodPerSecond;
    return goodput === undefined ? [] : [{
      label: settingsLabel(page, point.settings),
      goodput,
      isBest: point.outcome === "chosen" || point.outcome === "equal",
      isChosen: point.outcome === "chosen",
      rounds: point.lastRound,
    }];
  }).toSorted((a, b) => b.rounds - a.rounds || b.goodput - a.goodput).slice(0, POINTS_MAX);
  if (allPoints.length === 0) return null;
  return figure({
    title: t.search.figure,
    note: t.search.figureNote(word("goodput")),
    label: t.search.figure,
    draw: ({ isNarrow }) => {
      const { rows: points, labels, room } = labelled(allPoints, isNarrow, ROOM.settings);
      return {
        height: 60 + 24 * points.length,
        marginLeft: room,
        marginRight: 46,
        marginTop: 8,
        marginBottom: 42,
        x: { label: t.search.axis, zero: true, ticks: isNarrow ? 3 : 6 },
        y: { label: null, domain: labels },
        marks: [
          Plot.ruleY(points, { x1: 0, x2: "goodput", y: "label", stroke: "#ccc" }),
          Plot.dot(points, {
            x: "goodput",
            y: "label",
            r: 5,
            strokeWidth: 2,
            stroke: ({ isBest }: { isBest: boolean }) => isBest ? COLORS.here : COLORS.faint,
            fill: ({ isChosen }: { isChosen: boolean }) => isChosen ? COLORS.here : "#fff",
          }),
          Plot.text(points, {
            x: "goodput",
            y: "label",
            dx: 10,
            textAnchor: "start",
            text: ({ goodput }: { goodput: number }) => f.number(goodput),
          }),
        ],
      };
    },
  });
}
