/** Rotary tables as long as the positions that have come. @module */

import type { Kernels, Rope, Vector } from "../ffi/context.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";

/** Tables begin with so many positions. */
const POSITIONS_MIN = 4096;

/**
 * Cosines and sines of positions. A model of a long context is mostly asked for short ones, so the table has room for twice what came
 * before, and is made anew with the same rows when more comes.
 */
export class RopeTable {
  readonly #create: (positions: number) => Rope;
  readonly #positionsMax: number;
  #rope: Rope;

  /** `positionsMax`: the context. Throws a KernelError for frequencies that cannot be. */
  constructor(kernels: Kernels, h: Hyperparameters, positionsMax: number, freqFactors?: Vector) {
    this.#create = (positions) => createRope(kernels, h, positions, freqFactors);
    this.#positionsMax = positionsMax;
    this.#rope = this.#create(Math.min(POSITIONS_MIN, positionsMax));
  }

  /** A table that has the positions 0 to `end` − 1, as far as the context goes. Those before it are not to be used any more. */
  reach(end: number): Rope {
    let positions = this.#rope.maxPositions;
    if (end <= positions || positions === this.#positionsMax) return this.#rope;
    while (positions < end) positions *= 2;
    const grown = this.#create(Math.min(positions, this.#positionsMax));
    this.#rope[Symbol.dispose]();
    return this.#rope = grown;
  }
}

function createRope(kernels: Kernels, h: Hyperparameters, maxPositions: number, freqFactors?: Vector): Rope {
  const { dimensions, base, scaling } = h.rope;
  const yarn = scaling.type === "yarn" ? scaling : undefined;
  return kernels.createRope({
    rotatedDims: dimensions,
    maxPositions,
    base,
    freqFactors,
    scaling: scaling.type,
    factor: scaling.type === "none" ? 1 : scaling.factor,
    originalContext: yarn?.originalContext,
    attentionFactor: yarn?.attentionFactor,
    extFactor: yarn?.extFactor,
    betaFast: yarn?.betaFast,
    betaSlow: yarn?.betaSlow,
  });
}
