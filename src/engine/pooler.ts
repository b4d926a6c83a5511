import type { StepItem } from "../../scheduler/mod.ts";
import { normalized } from "../protocol/normalized.ts";
import type { Pooling } from "../protocol/request.ts";

/**
 * Makes one vector of the hidden states of a prompt: their mean, or the last one, divided by its length.
 * States are added one by one in the order of their positions, so the bits do not depend on how the prompt
 * was cut into steps.
 */
export class Pooler {
  readonly #pooling: Pooling;
  readonly #sum: Float64Array;
  /** Positions that were added. */
  #count = 0;

  /** `hidden`: elements of a hidden state. */
  constructor(pooling: Pooling, hidden: number) {
    this.#pooling = pooling;
    this.#sum = new Float64Array(hidden);
  }

  /** Whether every token has to be computed for it: known keys and values are not enough. */
  get needsAll(): boolean {
    return this.#pooling === "mean";
  }

  /** How many of a slice's hidden states it wants, from the slice's end. */
  wanted({ count, reachesEnd }: Pick<StepItem, "count" | "reachesEnd">): number {
    if (this.needsAll) return count;
    return reachesEnd ? 1 : 0;
  }

  /** Takes hidden states, [count, hidden] f32 row-major, of a slice that begins at position `first`. */
  add(states: Float32Array, first: number): void {
    const sum = this.#sum;
    // It lost its KV blocks and is computed again.
    if (this.needsAll && first === 0) this.#restart();
    if (this.needsAll && first !== this.#count) {
      throw new Error(`The hidden states of position ${this.#count} are missing, the next are of ${first}`);
    }
    for (let row = 0; row < states.length; row += sum.length) {
      for (let i = 0; i < sum.length; i++) sum[i] += states[row + i];
      this.#count++;
    }
  }

  #restart(): void {
    this.#sum.fill(0);
    this.#count = 0;
  }

  /** The vector, of length 1. Throws an Error where the hidden states are not numbers. */
  finish(): Float32Array {
    return normalized(this.#sum.map((value) => value / this.#count));
  }
}
