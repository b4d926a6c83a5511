/** What was seen at a rate. */
export interface RateTry {
  readonly perSecond: number;
  /** Share of the requests that kept the objectives. */
  readonly goodShare: number;
}

/** The highest rate that was kept, if any, and all that was tried. */
export interface FoundRate {
  readonly perSecond: number | null;
  /** The lowest rate that was not kept; null where all were. */
  readonly above: number | null;
  readonly tries: readonly RateTry[];
}

/** How a rate is looked for. */
export interface FindRateOptions {
  readonly start: number;
  /** Share of the requests that must be good. */
  readonly share: number;
  /** The two rates between which the answer lies are so near in the end: 0.1 for 10 %. */
  readonly precision: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Looks for the highest rate of arrivals at which enough requests are good: doubles or halves until it lies
 * between two rates, then halves what is between them. A load that gets worse with the rate is assumed; one
 * try a rate decides.
 */
export async function findRate(
  measure: (perSecond: number) => Promise<number>,
  { start, share, precision, min, max }: FindRateOptions,
): Promise<FoundRate> {
  const tries: RateTry[] = [];
  const isKept = async (perSecond: number) => {
    const goodShare = await measure(perSecond);
    tries.push({ perSecond, goodShare });
    return goodShare >= share;
  };
  let low: number | null = null, high: number | null = null;
  let rate = Math.min(max, Math.max(min, start));
  while (low === null || high === null) {
    if (await isKept(rate)) {
      low = rate;
      if (rate >= max) break;
      if (high === null) rate = Math.min(max, rate * 2);
    } else {
      high = rate;
      if (rate <= min) break;
      if (low === null) rate = Math.max(min, rate / 2);
    }
  }
  while (low !== null && high !== null && high / low > 1 + precision) {
    const middle: number = Math.sqrt(low * high);
    if (await isKept(middle)) low = middle;
    else high = middle;
  }
  return { perSecond: low, above: high, tries };
}
