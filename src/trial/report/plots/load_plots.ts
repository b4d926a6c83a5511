/** What was measured under load. @module */

import type { TrialPercentiles } from "../../report_data.ts";
import { badge, type Page } from "../page.ts";
import { COLORS, figure, fitted, labelRoom, Plot } from "./draw.ts";
import type { Markup } from "../markup.ts";

/** Share of good answers by load; the wanted share and the traffic's peak as lines. */
export function loadFigure(page: Page): Markup | null {
  const { report: { chosen, objectives, traffic }, t, f } = page;
  if (chosen === null || chosen.highestLoad.tries.length === 0) return null;
  const { tries, requestsPerSecond, aboveRequestsPerSecond } = chosen.highestLoad;
  const points = tries.toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const peak = traffic.peakRequestsPerSecond ?? traffic.requestsPerSecond;
  const number = (value: number | null) => value === null ? null : f.number(value);
  const reach = Math.max(...points.map((each) => each.requestsPerSecond));
  // A peak far beyond what was tried would push everything else together.
  const shownPeak = peak !== null && peak <= 3 * reach ? [peak] : [];
  return figure({
    title: t.load.figure,
    note: t.load.figureNote(number(requestsPerSecond), number(aboveRequestsPerSecond)),
    label: t.load.figure,
    draw: ({ isNarrow }) => ({
      height: isNarrow ? 220 : 260,
      marginTop: 34,
      marginRight: 30,
      marginBottom: 42,
      marginLeft: 52,
      x: { label: t.load.axisLoad, zero: true, ticks: isNarrow ? 4 : 8 },
      y: {
        label: t.load.axisGood,
        domain: [Math.min(0.8, ...points.map(({ goodShare }) => goodShare)), 1],
        tickFormat: (share: number) => f.percent(share),
        ticks: 5,
        grid: true,
      },
      marks: [
        Plot.ruleY([objectives.share], { stroke: COLORS.mark, strokeDasharray: "4 3" }),
        Plot.text([objectives.share], {
          y: (share: number) => share,
          frameAnchor: "left",
          dx: 4,
          dy: 9,
          text: () => t.load.wanted,
          fill: COLORS.mark,
          textAnchor: "start",
        }),
        Plot.ruleX(shownPeak, { stroke: COLORS.third, strokeDasharray: "1 3", strokeWidth: 2 }),
        Plot.text(shownPeak, {
          x: (rate: number) => rate,
          frameAnchor: "top",
          dy: -13,
          text: () => t.load.yourPeak,
          fill: COLORS.third,
        }),
        Plot.lineY(points, { x: "requestsPerSecond", y: "goodShare", stroke: COLORS.here, strokeWidth: 2 }),
        Plot.dot(points, {
          x: "requestsPerSecond",
          y: "goodShare",
          r: 5,
          stroke: COLORS.here,
          strokeWidth: 2,
          fill: ({ held }: { held: boolean }) => held ? COLORS.here : "#fff",
        }),
      ],
    }),
  });
}

/** Room for labels of which the plot of a telephone has no other wording. */
const NARROW_ROOM = 170;

interface Wait {
  readonly label: string;
  readonly kind: string;
  readonly p50: number;
  readonly p95: number;
  readonly objective: number | null;
  readonly color: string;
}

/** Waiting times by class, and of alternatives, with their objectives. */
export function latencyFigure(page: Page): Markup | null {
  const { report: { chosen, alternatives, objectives }, t, word } = page;
  const rows: Wait[] = [];
  const add = (
    label: string,
    measured: TrialPercentiles,
    kind: string,
    objective: number | null,
    color: string,
  ) => {
    const { p50, p95 } = measured;
    // Pieces of an answer may come together: a logarithmic axis has no 0.
    if (p50 !== null && p95 !== null) {
      rows.push({ label, kind, p50: Math.max(p50, 0.1), p95: Math.max(p95, 0.1), objective, color });
    }
  };
  const subjects = [
    ...chosen === null ? [] : [{ measures: chosen.measures, of: null, color: COLORS.here }],
    ...alternatives.map((each) => ({ measures: each.measures, of: each.model, color: COLORS.other })),
  ];
  for (const { measures, of, color } of subjects) {
    for (const each of measures?.classes ?? []) {
      const label = fitted(of === null ? each.class : `${each.class}, ${of}`, NARROW_ROOM);
      const goal = objectives.classes.find((objective) => objective.class === each.class);
      add(label, each.ttftMs, t.load.ttft, goal?.ttftMs ?? null, color);
      add(label, each.itlMs, t.load.itl, goal?.itlMs ?? null, color);
    }
  }
  if (rows.length === 0) return null;
  const labels = [...new Set(rows.map(({ label }) => label))];
  return figure({
    title: t.load.latencyFigure,
    note: page.rich(t.load.latencyNote(word("p95"))),
    label: t.load.latencyFigure,
    draw: ({ isNarrow }) => ({
      height: 110 + 2 * 30 * labels.length + 20,
      marginLeft: labelRoom(labels),
      marginRight: 24,
      marginTop: 30,
      marginBottom: 40,
      x: { type: "log", label: t.load.axisTime, grid: true, ticks: isNarrow ? 3 : 6, tickFormat: "~s" },
      y: { label: null, domain: labels },
      fy: { label: null, domain: [t.load.ttft, t.load.itl], axis: null, padding: 0.2 },
      marks: [
        Plot.frame({ stroke: "#ddd" }),
        Plot.text([t.load.ttft, t.load.itl], {
          fy: (kind: string) => kind,
          text: (kind: string) => kind,
          frameAnchor: "top-left",
          dy: -14,
          fontWeight: "bold",
        }),
        Plot.ruleY(rows, { x1: "p50", x2: "p95", y: "label", fy: "kind", stroke: "color", strokeWidth: 7 }),
        Plot.dot(rows, {
          x: "p50",
          y: "label",
          fy: "kind",
          r: 5,
          fill: "#fff",
          stroke: "color",
          strokeWidth: 2,
        }),
        Plot.tickX(rows.filter(({ objective }) => objective !== null), {
          x: "objective",
          y: "label",
          fy: "kind",
          stroke: COLORS.mark,
          strokeWidth: 2.5,
        }),
      ],
    }),
  });
}

/** Machines by load, as the capacity model has it. */
export function capacityFigure(page: Page): Markup | null {
  const { report: { predictions }, t, f } = page;
  const points = predictions.filter(({ machines }) => machines !== null);
  if (points.length < 2) return null;
  return figure({
    title: t.capacity.figure,
    badge: badge("predicted", page),
    kind: "predicted",
    label: `${t.capacity.figure} (${t.predicted})`,
    draw: ({ isNarrow }) => ({
      height: isNarrow ? 220 : 250,
      marginTop: 30,
      marginLeft: 52,
      marginRight: 30,
      marginBottom: 42,
      x: {
        type: "log",
        label: t.capacity.axisLoad,
        tickFormat: (load: number) => f.number(load),
        ticks: isNarrow ? 3 : 6,
      },
      y: {
        type: "log",
        label: t.capacity.axisMachines,
        grid: true,
        ticks: 4,
        tickFormat: (count: number) => f.number(count),
      },
      marks: [
        Plot.lineY(points, {
          x: "load",
          y: "machines",
          stroke: COLORS.fourth,
          strokeDasharray: "5 4",
          strokeWidth: 2,
        }),
        Plot.dot(points, {
          x: "load",
          y: "machines",
          r: 5,
          fill: "#fff",
          stroke: COLORS.fourth,
          strokeWidth: 2,
        }),
        Plot.text(points, {
          x: "load",
          y: "machines",
          dy: -13,
          text: ({ machines }: { machines: number }) => f.count(machines),
        }),
      ],
    }),
  });
}
