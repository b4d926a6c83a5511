/**
 * The yardstick of a benchmark: what the machine can read and multiply at most, sampled before, between and
 * after the runs of what is held against it. On a shared machine that changes from second to second, so one
 * look at the start would be too low as often as not; the best of many short looks counts.
 *
 * The memory that is read is the model's own packed matrices, in the order of a step: the same pages, cached
 * as far as a decode step finds them cached.
 * @module
 */

import { Kernels, type Measured } from "../../ffi/context.ts";
import type { Measurement } from "../../ffi/symbols.ts";
import type { MachineLimits } from "./limits.ts";

/** A team that measures: {@linkcode Kernels}, or what stands in for them. */
export interface MeasuringTeam {
  readonly threads: number;
  measure(what: keyof typeof Measurement, variant?: number, matrices?: readonly number[]): Measured;
}

/** A packed matrix. */
export interface MeterMatrix {
  /** The library's number of it. */
  readonly id: number;
  readonly bytes: number;
}

/** A look reads no more than that of a larger model, at a time another part of it. */
export const WINDOW_BYTES = 512 << 20;
/** Of the ways to do a measurement so many, the best so far, are tried again at each look but the first. */
const TRIED_AGAIN = 2;

/** Measures on a team, and how much can be read on fewer threads too. */
export class LimitMeter implements Disposable {
  readonly #matrices: readonly MeterMatrix[];
  readonly #team: MeasuringTeam;
  readonly #fewer: readonly (MeasuringTeam & Partial<Disposable>)[];
  readonly #read: Measure;
  readonly #peaks: { readonly int8: Measure; readonly bf16: Measure; readonly float: Measure };
  readonly #readGBpsByThreads: Record<number, number> = {};
  /** The matrix that the next look begins with. */
  #next = 0;

  /** `matrices`: what a step reads, at least one. `fewer`: teams with less threads, owned from now on. */
  constructor(
    team: MeasuringTeam,
    matrices: readonly MeterMatrix[],
    fewer: readonly (MeasuringTeam & Partial<Disposable>)[] = [],
  ) {
    this.#team = team;
    this.#matrices = matrices;
    this.#fewer = fewer;
    this.#read = new Measure((variant) => this.#readWith(team, variant));
    const peak = (what: keyof typeof Measurement) => new Measure((variant) => team.measure(what, variant));
    this.#peaks = { int8: peak("int8Peak"), bf16: peak("bf16Peak"), float: peak("floatPeak") };
  }

  /** Measures on `kernels`, and reads on 1, 2, 3, … threads as well. */
  static of(kernels: Kernels, matrices: readonly MeterMatrix[]): LimitMeter {
    const fewer = threadCounts(kernels.threads).slice(0, -1).map((threads) =>
      Kernels.open({ threads, isa: kernels.isa, workspaceBytes: 64 })
    );
    return new LimitMeter(kernels, matrices, fewer);
  }

  /** Takes a look, a fraction of a second; the first one takes some times as long. */
  sample(): void {
    const isFirst = this.#read.best === 0;
    this.#read.sample();
    this.#note(this.#team.threads, this.#read.best);
    for (const peak of Object.values(this.#peaks)) peak.sample();
    if (!isFirst) return;
    for (const team of this.#fewer) {
      for (const variant of this.#read.order(TRIED_AGAIN)) {
        this.#note(team.threads, this.#readWith(team, variant).value);
      }
    }
  }

  #note(threads: number, value: number): void {
    this.#readGBpsByThreads[threads] = Math.max(this.#readGBpsByThreads[threads] ?? 0, value);
  }

  /** The best of all looks so far, of which there must have been one. */
  get limits(): MachineLimits {
    const { int8, bf16, float } = this.#peaks;
    return {
      readGBps: Math.max(...Object.values(this.#readGBpsByThreads)),
      readGBpsByThreads: { ...this.#readGBpsByThreads },
      gmacps: { int8: int8.best, bf16: bf16.best, float: float.best },
    };
  }

  #readWith(team: MeasuringTeam, variant: number): Measured {
    return team.measure("readBandwidth", variant, this.#window().map(({ id }) => id));
  }

  /** All matrices, or as many of a large model, round and round. */
  #window(): MeterMatrix[] {
    const all = this.#matrices.length;
    const chosen: MeterMatrix[] = [];
    for (let bytes = 0; chosen.length < all && (chosen.length === 0 || bytes < WINDOW_BYTES);) {
      const matrix = this.#matrices[(this.#next + chosen.length) % all];
      chosen.push(matrix);
      bytes += matrix.bytes;
    }
    this.#next = (this.#next + chosen.length) % all;
    return chosen;
  }

  /** Ends the teams of fewer threads. */
  [Symbol.dispose](): void {
    for (const team of this.#fewer) team[Symbol.dispose]?.();
  }
}

/** One measurement in all its variants: the best that each has shown. */
class Measure {
  readonly #pass: (variant: number) => Measured;
  readonly #bests: number[] = [];

  constructor(pass: (variant: number) => Measured) {
    this.#pass = pass;
  }

  get best(): number {
    return Math.max(0, ...this.#bests);
  }

  /** The best `count` variants, best first. */
  order(count: number): number[] {
    return [...this.#bests.keys()].sort((a, b) => this.#bests[b] - this.#bests[a]).slice(0, count);
  }

  sample(): void {
    if (this.#bests.length === 0) {
      for (let variant = 0, variants = 1; variant < variants; variant++) {
        const pass = this.#pass(variant);
        variants = pass.variants;
        this.#bests.push(pass.value);
      }
    }
    for (const variant of this.order(TRIED_AGAIN)) {
      this.#bests[variant] = Math.max(this.#bests[variant], this.#pass(variant).value);
    }
  }
}

/** 1, 2, 3, … up to `all`; from 8 on only doubles, since each takes a while. */
export function threadCounts(all: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < all; count += count < 8 ? 1 : count) counts.push(count);
  return [...counts, all];
}
