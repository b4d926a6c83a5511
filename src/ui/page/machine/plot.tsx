/** Lines over time. @module */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { useStore } from "../core/store.ts";
import { theme } from "../core/preferences.ts";

export interface Line {
  readonly label: string;
  /** Number of its colour. */
  readonly colour: number;
  readonly values: readonly (number | null)[];
  /** Of a limit, and not of what was measured. */
  readonly isLimit?: boolean;
}

interface PlotProps {
  readonly title: string;
  /** S since 1970. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** For those who do not see it. */
  readonly summary: string;
}

const HEIGHT = 168;

export function Plot({ title, times, lines, format, summary }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const chosenTheme = useStore(theme);
  const shape = lines.map(({ label, colour }) => `${label}/${colour}`).join();
  useEffect(() => {
    const made = create(box.current!, lines, format);
    plot.current = made;
    const observer = new ResizeObserver(([{ contentRect }]) =>
      made.setSize({ width: Math.max(80, contentRect.width), height: HEIGHT })
    );
    observer.observe(box.current!);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [shape, chosenTheme]);
  useEffect(() => {
    plot.current?.setData([times, ...lines.map(({ values }) => values)] as uPlot.AlignedData);
  });
  return (
    <figure class="card plot">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {lines.map(({ label, colour, isLimit }) => (
            <li key={label} data-class={colour} class={isLimit ? "limit" : ""}>{label}</li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="plot-box" role="img" aria-label={`${title}: ${summary}`} />
    </figure>
  );
}

function create(box: HTMLElement, lines: readonly Line[], format: PlotProps["format"]): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("muted"),
    font: `11px ${colour("sans")}`,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return new uPlot(
    {
      width: Math.max(80, box.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { sync: { key: "machine" }, y: false, points: { size: 6 } },
      scales: { y: { range: (_, __, max) => [0, niceTop(max)] } },
      axes: [
        { ...axis, space: 80, size: 26, values: (_, times) => times.map(clock) },
        { ...axis, size: 52, space: 34, values: (_, values) => values.map(format) },
      ],
      series: [
        {},
        ...lines.map(({ label, colour: number, isLimit }) => ({
          label,
          stroke: colour(`class-${number % 4}`),
          width: isLimit ? 1 : 2,
          dash: isLimit ? [4, 4] : undefined,
          fill: isLimit ? undefined : `${colour(`class-${number % 4}`)}1c`,
          spanGaps: false,
          points: { show: false },
        })),
      ],
    },
    [[], ...lines.map(() => [])] as unknown as uPlot.AlignedData,
    box,
  );
}

/** A little above the largest value, so that a line is not the frame's. */
function niceTop(max: number | null): number {
  return max === null || !(max > 0) ? 1 : max * 1.15;
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString("en", {
    hour12: false,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}
