/** Cumulative distributions as an SVG picture. @module */

/** One line of the picture. */
export interface Distribution {
  readonly label: string;
  /** A CSS color. */
  readonly color: string;
  readonly isDashed?: boolean;
  /** Ascending, above 0. */
  readonly values: readonly number[];
}

/** One panel: distributions over one logarithmic axis. */
export interface Panel {
  readonly title: string;
  /** Unit and meaning of the values. */
  readonly axis: string;
  readonly lines: readonly Distribution[];
  /** A vertical line, such as an objective. */
  readonly mark?: { readonly value: number; readonly label: string };
}

const WIDTH = 460, HEIGHT = 320;
const LEFT = 52, RIGHT = 16, TOP = 34, BOTTOM = 46;
const POINTS_MAX = 400;

/** Panels side by side. */
export function renderDistributions(title: string, panels: readonly Panel[]): string {
  const width = WIDTH * panels.length, height = HEIGHT + 30;
  const body = panels.map((panel, i) =>
    `<g transform="translate(${i * WIDTH} 30)">${renderPanel(panel)}</g>`
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    ...body,
    "</svg>\n",
  ].join("");
}

function renderPanel({ title, axis, lines, mark }: Panel): string {
  const all = lines.flatMap(({ values }) => [values[0], values[values.length - 1]]).filter((v) => v > 0);
  if (mark !== undefined) all.push(mark.value);
  const low = Math.log10(Math.min(...all)), high = Math.log10(Math.max(...all));
  const x = (value: number) =>
    LEFT + (Math.log10(value) - low) / Math.max(high - low, 1e-9) * (WIDTH - LEFT - RIGHT);
  const y = (share: number) => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  const parts = [`<text x="${LEFT}" y="${TOP - 12}" font-weight="600">${escapeText(title)}</text>`];
  for (const share of [0, 0.5, 0.9, 0.99, 1]) {
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(share))}" y2="${
        round(y(share))
      }" stroke="#ddd"/>`,
    );
    if (share !== 0.99) {
      parts.push(
        `<text x="${LEFT - 6}" y="${round(y(share) + 4)}" text-anchor="end">${100 * share} %</text>`,
      );
    }
  }
  for (const tick of ticks(low, high)) {
    const at = round(x(tick));
    parts.push(`<line x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#eee"/>`);
    parts.push(`<text x="${at}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${tick}</text>`);
  }
  parts.push(
    `<text x="${(WIDTH + LEFT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escapeText(axis)}</text>`,
  );
  if (mark !== undefined) {
    const at = round(x(mark.value));
    parts.push(
      `<line x1="${at}" x2="${at}" y1="${TOP}" y2="${
        HEIGHT - BOTTOM
      }" stroke="#c00" stroke-dasharray="2 3"/>`,
    );
    parts.push(
      `<text x="${at - 4}" y="${TOP + 12}" text-anchor="end" fill="#c00">${escapeText(mark.label)}</text>`,
    );
  }
  lines.forEach((line, i) => {
    const dash = line.isDashed === true ? ' stroke-dasharray="6 4"' : "";
    parts.push(
      `<polyline fill="none" stroke="${line.color}" stroke-width="1.8"${dash} points="${
        points(line.values, x, y)
      }"/>`,
    );
    const at = HEIGHT - BOTTOM - 14 - 16 * (lines.length - 1 - i);
    const from = WIDTH - RIGHT - 150;
    parts.push(
      `<line x1="${from}" x2="${
        from + 22
      }" y1="${at}" y2="${at}" stroke="${line.color}" stroke-width="1.8"${dash}/>`,
    );
    parts.push(`<text x="${from + 28}" y="${at + 4}">${escapeText(line.label)}</text>`);
  });
  return parts.join("");
}

/** 1, 2 and 5 times the powers of ten within the axis. */
function ticks(low: number, high: number): number[] {
  const result: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const digit of high - low > 2.5 ? [1] : [1, 2, 5]) {
      const value = Number(`${digit}e${power}`);
      const at = Math.log10(value);
      if (at >= low - 1e-9 && at <= high + 1e-9) result.push(value);
    }
  }
  return result;
}

function points(
  values: readonly number[],
  x: (value: number) => number,
  y: (share: number) => number,
): string {
  const step = Math.max(1, Math.floor(values.length / POINTS_MAX));
  const result: string[] = [];
  values.forEach((value, i) => {
    // The tail is what matters: none of its points is left out.
    if (i % step !== 0 && i < values.length * 0.98) return;
    result.push(`${round(x(value))},${round(y((i + 1) / values.length))}`);
  });
  return result.join(" ");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
