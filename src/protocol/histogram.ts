/** A histogram as a plain object, so that it travels as JSON. */
export interface HistogramFigures {
  /** Upper bounds of the buckets, ascending, inclusive. */
  bounds: number[];
  /** Values in each bucket, not cumulative; the last one counts what is above all bounds. */
  counts: number[];
  sum: number;
}

/** Counts values by size, at a few nanoseconds a value. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  /** `bounds`: upper bounds, ascending. Throws a RangeError where they are not. */
  constructor(bounds: readonly number[]) {
    if (!bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]))) {
      throw new RangeError(`Bounds of a histogram must ascend, they are ${bounds.join(", ")}`);
    }
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts a value. What is no number is left out: one of them would spoil the sum for ever. */
  observe(value: number): void {
    if (!Number.isFinite(value)) return;
    let low = 0, high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= this.#bounds[middle]) high = middle;
      else low = middle + 1;
    }
    this.#counts[low]++;
    this.#sum += value;
  }

  figures(): HistogramFigures {
    return { bounds: [...this.#bounds], counts: [...this.#counts], sum: this.#sum };
  }
}
