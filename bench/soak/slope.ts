/** A straight line through points: how fast something grows. @module */

/** A slope with the half width of its 95 % interval. */
export interface Slope {
  readonly perX: number;
  readonly plusMinus: number;
}

/**
 * By least squares, y over x. The interval takes the deviations for independent; NaN with fewer than three
 * points.
 */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): Slope {
  const n = points.length;
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / n;
  const [x0, y0] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
  const perX = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0) / spread;
  const rest = points.reduce((sum, [x, y]) => sum + (y - y0 - perX * (x - x0)) ** 2, 0);
  return { perX, plusMinus: n < 3 ? NaN : 1.96 * Math.sqrt(rest / (n - 2) / spread) };
}
