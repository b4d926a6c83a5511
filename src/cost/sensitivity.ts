/** Which input moves the result most: the bars of a tornado plot. @module */

import type { CostInputs, MachineOption, OwnOption, RentedOption } from "./inputs.ts";
import { perMillionTokens } from "./per_million.ts";

/** Inputs that are varied one at a time. */
export type SensitivityInput =
  | "capacity"
  | "utilisation"
  | "price"
  | "life"
  | "interest"
  | "watts"
  | "powerPrice"
  | "pue"
  | "rack"
  | "staff"
  | "rent";

/** One bar: the result at a low and a high value of one input, all others as they are. */
export interface SensitivityBar {
  readonly input: SensitivityInput;
  readonly low: number;
  readonly high: number;
  /** Cost of a million tokens at `low` and at `high`. */
  readonly atLow: number;
  readonly atHigh: number;
}

/** A tornado: the widest bar first. */
export interface Sensitivity {
  readonly option: string;
  /** Share of capacity at which it is reckoned. */
  readonly utilisation: number;
  readonly perMillion: number;
  readonly bars: readonly SensitivityBar[];
}

interface Variation<T extends MachineOption> {
  readonly input: SensitivityInput;
  readonly range: (option: T) => readonly [low: number, high: number];
  readonly put: (option: T, value: number) => T;
}

/** What a figure that nobody knows well is varied by. */
const around = (value: number, by = 0.3): [number, number] => [value * (1 - by), value * (1 + by)];

/** The power of one machine is told by its power at full load; idle power goes with it. */
function withWatts(option: OwnOption, busyWatts: number): OwnOption {
  const factor = option.power.busyWatts === 0 ? 1 : busyWatts / option.power.busyWatts;
  return { ...option, power: { ...option.power, busyWatts, idleWatts: option.power.idleWatts * factor } };
}

function common<T extends MachineOption>(): Variation<T>[] {
  return [
    {
      input: "capacity",
      range: ({ capacity }) => around(capacity.requestsPerSecond),
      put: (option, requestsPerSecond) => ({
        ...option,
        capacity: { ...option.capacity, requestsPerSecond },
      }),
    },
    {
      input: "staff",
      range: ({ staffHoursPerMonth }) => [staffHoursPerMonth / 2, 2 * staffHoursPerMonth],
      put: (option, staffHoursPerMonth) => ({ ...option, staffHoursPerMonth }),
    },
  ];
}

const OWN: readonly Variation<OwnOption>[] = [
  ...common<OwnOption>(),
  { input: "price", range: ({ price }) => around(price), put: (option, price) => ({ ...option, price }) },
  {
    input: "life",
    range: ({ lifeYears }) => [lifeYears - Math.min(2, lifeYears / 2), lifeYears + 2],
    put: (option, lifeYears) => ({ ...option, lifeYears }),
  },
  {
    input: "interest",
    range: ({ interestPerYear }) => [0, interestPerYear + 0.05],
    put: (option, interestPerYear) => ({ ...option, interestPerYear }),
  },
  { input: "watts", range: ({ power }) => around(power.busyWatts), put: withWatts },
  {
    input: "powerPrice",
    range: ({ powerPricePerKwh }) => around(powerPricePerKwh, 0.5),
    put: (option, powerPricePerKwh) => ({ ...option, powerPricePerKwh }),
  },
  {
    input: "pue",
    range: ({ pue }) => [Math.min(1.1, pue), Math.max(2, pue)],
    put: (option, pue) => ({ ...option, pue }),
  },
  {
    input: "rack",
    range: ({ rackUnitPerMonth }) => around(rackUnitPerMonth, 0.5),
    put: (option, rackUnitPerMonth) => ({ ...option, rackUnitPerMonth }),
  },
];

const RENTED: readonly Variation<RentedOption>[] = [
  ...common<RentedOption>(),
  {
    input: "rent",
    range: ({ pricePerHour }) => around(pricePerHour),
    put: (option, pricePerHour) => ({ ...option, pricePerHour }),
  },
];

/** What utilisation is varied between: the outer two that a report shows. */
const UTILISATION_RANGE = [0.1, 0.7] as const;

/**
 * Varies each input of a machine alone and gives the cost of a million tokens at both ends of its range, the
 * widest bar first. Inputs that change nothing, such as the price of a rack unit that is not used, are left out.
 */
export function sensitivity(
  option: MachineOption,
  { mix }: Pick<CostInputs, "mix">,
  utilisation: number,
): Sensitivity {
  const own = option.kind === "own" ? barsOf(option, OWN) : barsOf(option, RENTED);
  const [low, high] = UTILISATION_RANGE;
  const bars = [
    ...own,
    {
      input: "utilisation" as const,
      low,
      high,
      atLow: perMillionTokens(option, mix, low),
      atHigh: perMillionTokens(option, mix, high),
    },
  ];
  const width = ({ atLow, atHigh }: SensitivityBar) => Math.abs(atHigh - atLow);
  return {
    option: option.id,
    utilisation,
    perMillion: perMillionTokens(option, mix, utilisation),
    bars: bars.filter((bar) => width(bar) > 0).sort((a, b) => width(b) - width(a)),
  };

  function barsOf<T extends MachineOption>(base: T, variations: readonly Variation<T>[]): SensitivityBar[] {
    return variations.map(({ input, range, put }) => {
      const [low, high] = range(base);
      const at = (value: number) => perMillionTokens(put(base, value), mix, utilisation);
      return { input, low, high, atLow: at(low), atHigh: at(high) };
    });
  }
}
