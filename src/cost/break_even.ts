import type { CostInputs, CostOption } from "./inputs.ts";
import { MACHINES_MAX, monthlyCost, SECONDS_PER_MONTH } from "./monthly.ts";

/** From which volume on one option costs no more than another. Requests a month. */
export interface BreakEven {
  /** Least volume at which it is so; null: at none that was looked at. */
  readonly firstRequests: number | null;
  /**
   * Volume from which on it stays so. Costs of machines rise in steps, so between this and the first the two
   * change places several times. Null: not within what was looked at.
   */
  readonly alwaysRequests: number | null;
}

/** Two options: which is cheaper while there is little to do, and where that ends. */
export interface BreakEvenPair extends BreakEven {
  /** Ids: `cheapAtFirst` costs less at the lowest volumes, `other` from the break-even on. */
  readonly cheapAtFirst: string;
  readonly other: string;
}

/** Steps of machine counts that are looked at: what is beyond is like what is before. */
const STEPS_MAX = 200;

/**
 * Where `option` begins to cost no more than `other`. Between two steps of machine counts both costs are
 * straight lines in the volume, so each crossing is solved for and none is searched.
 */
export function breakEven(option: CostOption, other: CostOption, inputs: CostInputs): BreakEven {
  const borders = stepsOf([option, other], inputs);
  const gap = (requests: number) => {
    const volume = { ...inputs.volume, requestsPerMonth: requests };
    return monthlyCost(option, inputs, volume).total - monthlyCost(other, inputs, volume).total;
  };
  let first: number | null = null;
  let always: number | null = null;
  let from = 0;
  for (const to of borders) {
    // Machine counts change behind `to`, and so just behind `from`: the line is taken from within.
    const [a, b] = [from + (to - from) / 4, from + 3 * (to - from) / 4];
    const [gapA, gapB] = [gap(a), gap(b)];
    const slope = (gapB - gapA) / (b - a);
    const [start, end] = [gapA - slope * (a - from), gapB + slope * (to - b)];
    // Rounding must not make a crossing of two lines that lie on each other.
    const nothing = 1e-9 * Math.max(1, Math.abs(start), Math.abs(end));
    const crossing = from - start / slope;
    if (start <= nothing) {
      first ??= from;
      always ??= from;
      if (end > nothing) always = null;
    } else if (end <= nothing) {
      first ??= crossing;
      always = crossing;
    } else always = null;
    from = to;
  }
  return { firstRequests: first, alwaysRequests: always };
}

/** Each pair of options once. */
export function breakEvens(inputs: CostInputs): BreakEvenPair[] {
  // A request a month: one machine of each, and hardly a token.
  const least = { ...inputs.volume, requestsPerMonth: 1 };
  const atLeast = (option: CostOption) => monthlyCost(option, inputs, least).total;
  return inputs.options.flatMap((a, i) =>
    inputs.options.slice(i + 1).map((b) => {
      const [cheap, other] = atLeast(a) <= atLeast(b) ? [a, b] : [b, a];
      return { cheapAtFirst: cheap.id, other: other.id, ...breakEven(other, cheap, inputs) };
    })
  );
}

/** Volumes at which one of the options needs one more machine, ascending; the last is where looking ends. */
function stepsOf(options: readonly CostOption[], { volume: { peakToMean } }: CostInputs): number[] {
  const perMachine = options.flatMap((option) =>
    option.kind === "api" ? [] : [SECONDS_PER_MONTH * option.capacity.requestsPerSecond / peakToMean]
  );
  // Two services: straight lines all the way, whose crossing lies anywhere.
  if (perMachine.length === 0) return [1e12];
  const end = Math.min(Math.max(...perMachine) * STEPS_MAX, Math.min(...perMachine) * MACHINES_MAX);
  const steps = perMachine.flatMap((each) =>
    Array.from({ length: Math.ceil(end / each) }, (_, i) => Math.min(end, (i + 1) * each))
  );
  return [...new Set(steps)].sort((a, b) => a - b);
}
