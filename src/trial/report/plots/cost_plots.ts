/** What answers cost. @module */

import { type CostInputs, type CostOption, monthlyCost } from "../../../cost/mod.ts";
import type { TrialCost } from "../../report_data.ts";
import type { Markup } from "../markup.ts";
import type { Page } from "../page.ts";
import { COLORS, figure, hatched, labelRoom, Plot, SERIES, shortened } from "./draw.ts";

const NAME_MAX = 34;

/** An option's colour, here and in all plots of costs. */
export function colorOf(inputs: CostInputs, id: string): string {
  return SERIES[inputs.options.findIndex((option) => option.id === id) % SERIES.length];
}

/** Whether what is said of an option rests on a capacity that nobody measured. */
export function isAssumed(option: CostOption): boolean {
  return option.kind !== "api" && option.capacity.basis !== "measured";
}

/** Cost of a million tokens at each utilisation. What rests on an assumed capacity is hatched. */
export function perMillionFigure({ t, f, money }: Page, { inputs, outputs, currency }: TrialCost): Markup {
  const bars = outputs.options.flatMap(({ id, perMillion }) => {
    const option = inputs.options.find((each) => each.id === id)!;
    return perMillion.map((at) => ({
      name: shortened(option.name, NAME_MAX),
      share: t.cost.utilisation(f.percent(at.utilisation)),
      value: at.perMillion,
      fill: isAssumed(option) ? hatched(colorOf(inputs, id)) : colorOf(inputs, id),
      stroke: colorOf(inputs, id),
    }));
  });
  const shares = [...new Set(bars.map(({ share }) => share))];
  const names = [...new Set(bars.map(({ name }) => name))];
  return figure({
    title: t.cost.perMillion,
    note: t.cost.perMillionNote,
    label: t.cost.perMillion,
    draw: ({ isNarrow }) => ({
      height: 70 + shares.length * ((isNarrow ? 36 : 24) * names.length + 24),
      marginLeft: isNarrow ? 12 : labelRoom(names),
      marginRight: 76,
      marginTop: 8,
      marginBottom: 42,
      x: { label: t.cost.axisPerMillion(currency), zero: true, grid: true, ticks: isNarrow ? 3 : 6 },
      y: { label: null, domain: names, axis: isNarrow ? null : "left" },
      fy: { label: null, domain: shares, axis: null },
      marks: [
        Plot.text(shares, {
          fy: (share: string) => share,
          text: (share: string) => share,
          frameAnchor: "top-right",
          dx: 70,
          dy: -2,
          fontWeight: "bold",
        }),
        Plot.barX(bars, {
          x: "value",
          y: "name",
          fy: "share",
          fill: "fill",
          stroke: "stroke",
          insetTop: isNarrow ? 17 : 2,
          insetBottom: 2,
        }),
        Plot.text(bars, {
          x: "value",
          y: "name",
          fy: "share",
          dx: 5,
          dy: isNarrow ? 7 : 0,
          textAnchor: "start",
          text: ({ value }: { value: number }) => money(value),
        }),
        // On a telephone there is no room for names beside the bars: they stand above them.
        Plot.text(isNarrow ? bars : [], {
          x: 0,
          y: "name",
          fy: "share",
          dy: -9,
          textAnchor: "start",
          text: "name",
          fontSize: 11,
        }),
      ],
    }),
  });
}

/** Volumes at which the lines of the plot over volume are reckoned. */
const STEPS = 240;
/** How far below and above the volume reckoned with the plot goes: powers of ten. */
const DECADES = 2;

/** Cost a month over the number of requests, both logarithmic. */
export function volumeFigure(page: Page, { inputs, currency }: TrialCost): Markup {
  const { t, f } = page;
  const { requestsPerMonth } = inputs.volume;
  const volumes = Array.from(
    { length: STEPS + 1 },
    (_, i) => requestsPerMonth * 10 ** (DECADES * (2 * i / STEPS - 1)),
  );
  const lines = inputs.options.flatMap((option) =>
    volumes.map((requests) => ({
      name: option.name,
      requests,
      cost: monthlyCost(option, inputs, { ...inputs.volume, requestsPerMonth: requests }).total,
      color: colorOf(inputs, option.id),
    })).filter(({ cost }) => cost > 0)
  );
  const ends = inputs.options.flatMap((option) => lines.filter(({ name }) => name === option.name).slice(-1));
  return figure({
    title: t.cost.volume,
    note: page.rich(t.cost.volumeNote),
    label: t.cost.volume,
    draw: ({ isNarrow }) => ({
      height: isNarrow ? 280 : 340,
      marginLeft: 62,
      marginRight: 20,
      marginTop: 34,
      marginBottom: 42,
      x: {
        type: "log",
        label: t.cost.axisRequests,
        ticks: isNarrow ? 3 : 6,
        tickFormat: (n: number) => compact(page, n),
      },
      y: {
        type: "log",
        label: t.cost.axisMonth(currency),
        grid: true,
        ticks: 5,
        tickFormat: (n: number) => compact(page, n),
      },
      marks: [
        Plot.ruleX([requestsPerMonth], { stroke: "#111", strokeDasharray: "2 3" }),
        Plot.text([requestsPerMonth], {
          x: (n: number) => n,
          frameAnchor: "top",
          dy: -8,
          text: () => `${t.cost.now} (${compact({ ...page, f }, requestsPerMonth)})`,
        }),
        Plot.lineY(lines, {
          x: "requests",
          y: "cost",
          z: "name",
          stroke: "color",
          strokeWidth: 2,
          curve: "step-before",
        }),
        Plot.dot(ends, { x: "requests", y: "cost", fill: "color", r: 3 }),
      ],
    }),
  });
}

/** 1,200,000 as 1.2M or 120万. */
function compact({ f }: Page, value: number): string {
  return new Intl.NumberFormat(f.language, { notation: "compact", maximumSignificantDigits: 3 }).format(
    value,
  );
}

/** How far each input moves the cost of a million tokens. */
export function tornadoFigure(page: Page, { inputs, outputs, currency }: TrialCost): Markup | null {
  const { t, f, money } = page;
  const { sensitivity } = outputs;
  if (sensitivity === null) return null;
  const option = inputs.options.find(({ id }) => id === sensitivity.option)!;
  const bars = sensitivity.bars.map(({ input, low, high, atLow, atHigh }) => {
    const shown = (value: number) =>
      input === "utilisation" || input === "interest" ? f.percent(value) : f.number(value, 2);
    return {
      label: `${t.sensitivityInputs[input]} (${t.cost.range(shown(low), shown(high))})`,
      short: t.sensitivityInputs[input],
      atLow,
      atHigh,
      least: Math.min(atLow, atHigh),
      most: Math.max(atLow, atHigh),
    };
  });
  return figure({
    title: t.cost.tornado,
    note: page.rich(t.cost.tornadoNote(option.name, f.percent(sensitivity.utilisation))),
    label: t.cost.tornado,
    draw: ({ isNarrow }) => {
      const read = isNarrow ? "short" : "label";
      const labels = bars.map((bar) => bar[read]);
      return {
        height: 64 + 26 * bars.length,
        marginLeft: labelRoom(labels),
        marginRight: 56,
        marginTop: 22,
        marginBottom: 42,
        x: { label: t.cost.axisTornado(currency), grid: true, ticks: isNarrow ? 3 : 6 },
        y: { label: null, domain: labels },
        marks: [
          Plot.barX(bars, {
            x1: sensitivity.perMillion,
            x2: "atLow",
            y: read,
            fill: COLORS.other,
            insetTop: 3,
            insetBottom: 3,
          }),
          Plot.barX(bars, {
            x1: sensitivity.perMillion,
            x2: "atHigh",
            y: read,
            fill: COLORS.third,
            insetTop: 3,
            insetBottom: 3,
          }),
          Plot.ruleX([sensitivity.perMillion], { stroke: "#111" }),
          Plot.text([sensitivity.perMillion], {
            x: (value: number) => value,
            frameAnchor: "top",
            dy: -8,
            text: (value: number) => money(value),
          }),
          Plot.text(bars, {
            x: "most",
            y: read,
            dx: 5,
            textAnchor: "start",
            text: ({ most }: { most: number }) => money(most),
          }),
        ],
      };
    },
  });
}

/** Names beside their colours, for plots whose lines have none. */
export function legendEntries({ inputs }: TrialCost): { name: string; color: string; isAssumed: boolean }[] {
  return inputs.options.map((option) => ({
    name: option.name,
    color: colorOf(inputs, option.id),
    isAssumed: isAssumed(option),
  }));
}
