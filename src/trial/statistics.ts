/** Means, how sure they are, and whether two can be told apart. @module */

/** Two-sided 95 % of Student's t by degrees of freedom from 1; beyond the table it is nearly the normal's. */
const T95 = [
  12.706,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
];
const T95_MANY = 1.96;

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a sample: divided by n − 1. NaN of fewer than two. */
export function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/** The factor of the standard error that gives the 95 % interval. */
export function t95(freedom: number): number {
  return T95[Math.max(1, Math.floor(freedom)) - 1] ?? T95_MANY;
}

/**
 * The mean of repeated runs with its 95 % interval. `spread` is the standard deviation of one run that other
 * repeated runs have shown: it stands in where these are fewer than two, and no fewer than three runs narrow it
 * by luck.
 */
export function interval(
  values: readonly number[],
  spread = 0,
): { mean: number; low: number; high: number } {
  const middle = mean(values);
  const own = values.length > 1 ? deviation(values) : 0;
  const sigma = values.length > 2 ? own : Math.max(own, spread);
  const factor = values.length > 2 ? t95(values.length - 1) : T95_MANY;
  const half = factor * sigma / Math.sqrt(values.length);
  return { mean: middle, low: middle - half, high: middle + half };
}

/**
 * Whether `a` is above `b` so clearly that chance explains it in fewer than one case in twenty. Runs of the
 * same load are compared pair by pair: what the load's own luck does to both is gone. `spread`: standard
 * deviation of one run's value, where the pairs are too few to show their own.
 */
export function isAbove(a: readonly number[], b: readonly number[], spread: number): boolean {
  const pairs = Math.min(a.length, b.length);
  if (pairs === 0) return false;
  const differences = a.slice(0, pairs).map((value, i) => value - b[i]);
  const { low } = interval(differences, spread * Math.SQRT2);
  return low > 0;
}

/**
 * The standard deviation of one run from groups of runs that were alike, relative to each group's mean. Null
 * where no group has two.
 */
export function relativeSpread(groups: readonly (readonly number[])[]): number | null {
  let squares = 0, freedom = 0;
  for (const group of groups) {
    const middle = mean(group);
    if (group.length < 2 || !(Math.abs(middle) > 0)) continue;
    squares += group.reduce((sum, value) => sum + (value / middle - 1) ** 2, 0);
    freedom += group.length - 1;
  }
  return freedom === 0 ? null : Math.sqrt(squares / freedom);
}
