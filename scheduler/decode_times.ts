import type { StepLoad, StepTimes } from "./step_cost.ts";

/** Weight of what was measured for as many tokens against the next step of any. */
const MEMORY = 0.98;
/** A measurement counts as no less than one in so many. */
const SAMPLES_MAX = 8;
/** What fewer tokens and the model of step times say counts as so much of a measurement. */
const EXPECTED_WEIGHT = 0.5;
/** A step counts as no longer than so many times what was expected: something else had the machine. */
const OUTLIER = 2;

/**
 * How long steps take that only go on with answers, by the number of their tokens. The model of step times is a straight line from
 * one token to a whole prompt; for the few tokens of a guess the products' own steps decide whether it pays. What has not
 * been measured for a while is taken from the line again, so that nothing is ruled out for ever by a bad moment.
 */
export class DecodeTimes {
  readonly #model: StepTimes;
  /** By tokens: ms without what their context adds. */
  readonly #ms: number[] = [0];
  readonly #weights: number[] = [0];

  constructor(model: StepTimes) {
    this.#model = model;
  }

  /** Ms that a step will take. */
  predict({ tokens, kv }: StepLoad): number {
    return this.#base(tokens) + this.#model.coefficients[2] * kv;
  }

  /** Learns from a step. */
  observe({ tokens, kv }: StepLoad, elapsedMs: number): void {
    const base = Math.max(0, elapsedMs - this.#model.coefficients[2] * kv);
    for (let i = 1; i < this.#weights.length; i++) this.#weights[i] *= MEMORY;
    for (let i = this.#ms.length; i <= tokens; i++) this.#ms[i] = this.#weights[i] = 0;
    const known = this.#weights[tokens];
    const limit = this.#model.isReady ? OUTLIER * this.#base(tokens) : Infinity;
    const ms = Math.min(base, limit);
    const weight = Math.min(known + 1, SAMPLES_MAX);
    this.#ms[tokens] = known === 0 ? ms : this.#ms[tokens] + (ms - this.#ms[tokens]) / weight;
    this.#weights[tokens] = weight;
  }

  #base(tokens: number): number {
    const [a, b] = this.#model.coefficients;
    let ms = a;
    for (let i = 1; i <= tokens; i++) {
      const weight = this.#weights[i] ?? 0;
      ms = ((this.#ms[i] ?? 0) * weight + (ms + b) * EXPECTED_WEIGHT) / (weight + EXPECTED_WEIGHT);
    }
    return ms;
  }
}
