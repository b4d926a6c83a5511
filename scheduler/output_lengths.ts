/** Steps of length from one bin to the next: four in an octave, after the first one of eight tokens. */
const FIRST_BIN = 8, BINS_PER_OCTAVE = 4, BINS = 1 + 14 * BINS_PER_OCTAVE;
/** What one answer weighs after the next one. About the last sixty count. */
const MEMORY = 1 - 1 / 60;
/** Before any answer has ended, and where none has got to: they end about once in so many tokens … */
const PRIOR_TOKENS = 256;
/** … with the weight of so many answers. */
const PRIOR_WEIGHT = 0.5;
/** Somebody always may go on. */
const PASSED_MIN = 1e-3;
/** Keeps what survives countable. */
const EXPONENT_MAX = 500;

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** The chance of the answer with this number: evenly spread over any few that follow each other. */
export function chanceOf(number: number): number {
  return (number + 0.5) * GOLDEN_RATIO % 1;
}

/** First token of a bin. */
const EDGES = Array.from(
  { length: BINS + 1 },
  (_, i) => i === 0 ? 0 : FIRST_BIN * 2 ** ((i - 1) / BINS_PER_OCTAVE),
);

/**
 * How long answers become, learned from those that have ended: for each range of lengths, how often an answer
 * ends there by itself. One that was cut off, because no more was asked for, tells that it would have been at
 * least so long, and nothing beyond: long and short limits can be mixed. Kaplan and Meier 1958, by bins.
 */
export class OutputLengths {
  /** Answers that got through each bin, and those that ended in it: by themselves, or cut off. */
  readonly #passed = new Float64Array(BINS);
  readonly #ends = new Float64Array(BINS);
  readonly #cuts = new Float64Array(BINS);
  /**
   * Ends per token in each bin; the share that survives to its edge; tokens still to come behind it, times
   * that share.
   */
  readonly #rate = new Float64Array(BINS);
  readonly #survival = new Float64Array(BINS + 1);
  readonly #tail = new Float64Array(BINS + 1);
  #isEmpty = true;
  /** Whether something was noted since that was solved. */
  #isStale = true;

  /** Whether no answer has ended yet. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Notes that an answer which goes on has so many tokens: those that are long tell it before they end. */
  pass(tokens: number): void {
    const bin = binOf(tokens - 1);
    if (binOf(tokens) === bin) return;
    this.#passed[bin]++;
    this.#isStale = true;
  }

  /** Notes an answer that has ended. `isCut`: not by itself. */
  add(tokens: number, isCut: boolean): void {
    for (const counts of [this.#passed, this.#ends, this.#cuts]) {
      for (let i = 0; i < BINS; i++) counts[i] *= MEMORY;
    }
    (isCut ? this.#cuts : this.#ends)[binOf(tokens)]++;
    this.#isEmpty = false;
    this.#isStale = true;
  }

  /**
   * Tokens that an answer will probably still generate, which has so many and may have no more than `most` in
   * all.
   */
  remaining(generated: number, most: number): number {
    if (most <= generated) return 0;
    this.#solve();
    const from = Math.min(generated, EDGES[BINS] - 1), to = Math.min(most, EDGES[BINS]);
    const survival = this.#survivalAt(from);
    return Math.max(Math.min(1, most - generated), (this.#tailAt(from) - this.#tailAt(to)) / survival);
  }

  /**
   * Tokens that such an answer still generates with this chance, or fewer: of many answers as many end early
   * and late as if each had its own chance. Taken at the same length on the average they would all seem to
   * end together.
   */
  drawn(generated: number, most: number, chance: number): number {
    if (most <= generated) return 0;
    this.#solve();
    let exponent = -Math.log1p(-chance);
    let at = Math.min(generated, EDGES[BINS] - 1);
    for (let bin = binOf(at); bin < BINS; bin++) {
      const rate = this.#rate[bin], end = EDGES[bin + 1];
      if (exponent <= rate * (end - at)) {
        at += exponent / rate;
        break;
      }
      exponent -= rate * (end - at);
      at = end;
      if (at >= most) break;
    }
    return Math.max(1, Math.ceil(Math.min(at, most) - generated));
  }

  #solve(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    let exponent = 0;
    for (let i = 0; i < BINS; i++) {
      const width = EDGES[i + 1] - EDGES[i];
      // Who was cut off was there for half of the bin, on the average.
      const atRisk = this.#passed[i] + this.#ends[i] + this.#cuts[i] / 2 + PRIOR_WEIGHT;
      const passed = atRisk - this.#ends[i] - PRIOR_WEIGHT * (1 - Math.exp(-width / PRIOR_TOKENS));
      const rate = -Math.log(Math.max(passed, PASSED_MIN) / atRisk) / width;
      this.#rate[i] = Math.min(rate, (EXPONENT_MAX - exponent) / width + 1e-9);
      this.#survival[i] = Math.exp(-exponent);
      exponent += this.#rate[i] * width;
    }
    this.#survival[BINS] = Math.exp(-exponent);
    this.#tail[BINS] = 0;
    for (let i = BINS - 1; i >= 0; i--) {
      this.#tail[i] = this.#tail[i + 1] + (this.#survival[i] - this.#survival[i + 1]) / this.#rate[i];
    }
  }

  #survivalAt(tokens: number): number {
    const bin = binOf(tokens);
    return this.#survival[bin] * Math.exp(-this.#rate[bin] * (tokens - EDGES[bin]));
  }

  #tailAt(tokens: number): number {
    if (tokens >= EDGES[BINS]) return 0;
    const bin = binOf(tokens);
    return this.#tail[bin + 1] + (this.#survivalAt(tokens) - this.#survival[bin + 1]) / this.#rate[bin];
  }
}

function binOf(tokens: number): number {
  if (tokens < FIRST_BIN) return 0;
  return Math.min(1 + Math.floor(BINS_PER_OCTAVE * Math.log2(tokens / FIRST_BIN) + 1e-9), BINS - 1);
}
