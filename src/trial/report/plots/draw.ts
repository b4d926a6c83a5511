/** Plots as SVG: Observable Plot draws into a document that exists for it alone. @module */

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Content, html, Markup } from "../markup.ts";

export { Plot };

/** What plots of a report are drawn with: widths of a screen and of a telephone. */
const WIDE = 860;
const NARROW = 340;

/** Of the plots of a telephone nothing is less wide than what it says. */
export interface Frame {
  readonly width: number;
  readonly isNarrow: boolean;
}

type Document = NonNullable<Plot.PlotOptions["document"]>;
export type PlotOptions = Plot.PlotOptions;

/** Colours: each keeps a contrast of 4.5 to white, and they differ in lightness for those who see no hue. */
export const COLORS = {
  here: "#0b6b57",
  other: "#2b5fa6",
  third: "#b4521a",
  fourth: "#6d3f99",
  fifth: "#4d4d4d",
  good: "#0b6b57",
  bad: "#b3261e",
  faint: "#9aa3a0",
  mark: "#b3261e",
} as const;

/** For lines and bars of several things, in their order. */
export const SERIES: readonly string[] = [
  COLORS.here,
  COLORS.other,
  COLORS.third,
  COLORS.fourth,
  COLORS.fifth,
];

/** How what was not measured is filled: lines across white, in this colour. */
export function hatched(color: string): string {
  return `url(#hatch-${color.slice(1)})`;
}

/** The patterns that `hatched` names: once in a page, and drawn, though of no size, since plots refer to them. */
export function hatchPatterns(): Markup {
  const patterns = [...new Set(Object.values(COLORS))].map((color) =>
    html`
      <pattern id="hatch-${color.slice(1)}" width="6" height="6" patternUnits="userSpaceOnUse"
        patternTransform="rotate(45)">
        <rect width="6" height="6" fill="#fff" />
        <rect width="2.2" height="6" fill="${color}" />
      </pattern>
    `
  );
  return html`
    <svg width="0" height="0" style="position:absolute" aria-hidden="true">
      <defs>${patterns}</defs>
    </svg>
  `;
}

/**
 * A figure with a plot for wide pages and one for narrow ones; the style sheet shows one. `kind` marks what is
 * no measurement.
 */
export function figure(options: {
  readonly title: Content;
  readonly note?: Content;
  readonly badge?: Content;
  readonly kind?: "measured" | "estimated" | "predicted";
  /** What a screen reader says of it. */
  readonly label: string;
  readonly draw: (frame: Frame) => PlotOptions;
}): Markup {
  const { title, note, badge, kind = "measured", label, draw } = options;
  const svg = (width: number, isNarrow: boolean) => {
    const { document } = parseHTML("<!doctype html><html><body></body></html>") as unknown as {
      document: Document;
    };
    const drawn = Plot.plot({
      width,
      style: { fontSize: "12px", fontFamily: "inherit" },
      className: "plot",
      ...draw({ width, isNarrow }),
      document,
      ariaLabel: label,
    }) as unknown as { outerHTML: string };
    return new Markup(drawn.outerHTML);
  };
  return html`
    <figure class="${kind}">
      <figcaption><b>${title}</b>${badge}${note && html`<p>${note}</p>`}</figcaption>
      <div class="wide">${svg(WIDE, false)}</div>
      <div class="narrow">${svg(NARROW, true)}</div>
    </figure>
  `;
}

/** A label short enough for an axis. */
export function shortened(text: string, charactersMax: number): string {
  const characters = [...text];
  return characters.length <= charactersMax ? text : `${characters.slice(0, charactersMax - 1).join("")}…`;
}

/** A label that takes so many pixels at most. */
export function fitted(text: string, roomMax: number): string {
  const characters = [...text];
  let length = characters.length;
  while (length > 1 && labelRoom([characters.slice(0, length).join("")]) > roomMax) length--;
  return shortened(text, length);
}

/** How much room labels at the left take, Japanese characters counted twice. */
export function labelRoom(labels: readonly string[]): number {
  const width = (text: string) => [...text].reduce((sum, char) => sum + (char > "\u2e80" ? 12.5 : 6.8), 0);
  return Math.ceil(Math.max(0, ...labels.map(width))) + 16;
}
