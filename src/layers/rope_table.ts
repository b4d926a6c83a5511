/** Rotary tables as long as the positions that have come. @module */

import type { Kernels, Rope, Vector } from "../ffi/context.ts";
import type { VectorSpec } from "./tensors.ts";

/** How RoPE pairs the elements of a head: (0,1), (2,3), … or element i with i + half. */
export type RopePairing = "interleaved" | "halves";

/** How a model stretches its rotary frequencies beyond the context it was first trained on. */
export type RopeScaling =
  | { type: "none"; attentionFactor?: number }
  | { type: "linear"; factor: number; attentionFactor?: number }
  | YarnScaling;

/** Peng et al. 2023. */
export interface YarnScaling {
  type: "yarn";
  factor: number;
  /** The context before stretching, in tokens. */
  originalContext: number;
  /** Multiplies cosines and sines, of the other scalings too. */
  attentionFactor: number;
  /** 1 mixes interpolated and original frequencies by the betas, 0 only interpolates. */
  extFactor: number;
  /** Turns within the original context from which a frequency is left as it is, and below which it is stretched. */
  betaFast: number;
  betaSlow: number;
}

/** Divisors of the rotary frequencies: [rotated elements / 2], or two sets of them. */
export type FreqFactors = VectorSpec | LongFactors;

/** Divisors for contexts beyond `originalContext` tokens, and for those within. Ding et al. 2024 (LongRoPE). */
export interface LongFactors {
  long: VectorSpec;
  short: VectorSpec;
  originalContext: number;
}

/** How a layer turns its queries and keys. Su et al. 2021. */
export interface RopeSettings {
  pairing: RopePairing;
  /** How many elements of each head are turned; 0: none, the layer knows no positions. */
  dimensions: number;
  /** θ: pair i turns by position · θ^(−2i / dimensions). */
  base: number;
  scaling: RopeScaling;
}

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
  constructor(kernels: Kernels, settings: RopeSettings, positionsMax: number, freqFactors?: Vector) {
    this.#create = (positions) => createRope(kernels, settings, positions, freqFactors);
    this.#positionsMax = positionsMax;
    this.#rope = this.#create(Math.min(POSITIONS_MIN, positionsMax));
  }

  /** The table as it is now: not to be kept beyond a step. */
  get current(): Rope {
    return this.#rope;
  }

  /** Makes room for the positions 0 to `end` − 1, as far as the context goes. */
  reach(end: number): void {
    let positions = this.#rope.maxPositions;
    if (end <= positions || positions === this.#positionsMax) return;
    while (positions < end) positions *= 2;
    const grown = this.#create(Math.min(positions, this.#positionsMax));
    this.#rope[Symbol.dispose]();
    this.#rope = grown;
  }
}

/** The tables of a model: layers that turn alike share one. */
export class RopeTables {
  readonly #kernels: Kernels;
  readonly #positionsMax: number;
  readonly #tables = new Map<string, RopeTable>();

  /** `positionsMax`: the context. */
  constructor(kernels: Kernels, positionsMax: number) {
    this.#kernels = kernels;
    this.#positionsMax = positionsMax;
  }

  /**
   * Of two sets of factors the one for this context. That is settled when a model is loaded: keys that are in the cache cannot be
   * turned anew when a sequence grows long.
   */
  choose(factors: FreqFactors | undefined): VectorSpec | undefined {
    if (factors === undefined || "name" in factors) return factors;
    return this.#positionsMax > factors.originalContext ? factors.long : factors.short;
  }

  /**
   * The table of these settings, with divisors of its frequencies where the model has such. Undefined where nothing is turned.
   */
  table(settings: RopeSettings, freqFactors?: Vector): RopeTable | undefined {
    const { dimensions, base, scaling } = settings;
    if (dimensions === 0) return undefined;
    // The pairing is the op's: both pairings read the same table.
    const key = JSON.stringify([dimensions, base, scaling, freqFactors?.id]);
    let table = this.#tables.get(key);
    if (table === undefined) {
      table = new RopeTable(this.#kernels, settings, this.#positionsMax, freqFactors);
      this.#tables.set(key, table);
    }
    return table;
  }

  /** Makes every table ready for positions below `end`. */
  reach(end: number): void {
    for (const table of this.#tables.values()) table.reach(end);
  }
}

function createRope(
  kernels: Kernels,
  settings: RopeSettings,
  maxPositions: number,
  freqFactors?: Vector,
): Rope {
  const { dimensions, base, scaling } = settings;
  const yarn = scaling.type === "yarn" ? scaling : undefined;
  return kernels.createRope({
    rotatedDims: dimensions,
    maxPositions,
    base,
    freqFactors,
    scaling: scaling.type,
    factor: scaling.type === "none" ? 1 : scaling.factor,
    originalContext: yarn?.originalContext,
    attentionFactor: scaling.attentionFactor,
    extFactor: yarn?.extFactor,
    betaFast: yarn?.betaFast,
    betaSlow: yarn?.betaSlow,
  });
}
