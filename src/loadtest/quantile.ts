/**
 * A quantile of ascending values: the smallest of them that a share `q` of all does not exceed. NaN of none.
 */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.min(sorted.length, Math.ceil(q * sorted.length)) - 1)] ?? NaN;
}

/** The same numbers, smallest first. */
export function ascending(values: Iterable<number>): number[] {
  return Float64Array.from(values).sort() as unknown as number[];
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
