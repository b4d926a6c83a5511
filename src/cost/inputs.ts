/**
 * What the cost model reckons with: plain numbers in one currency. `resolvePrices` makes them of a prices file
 * and of what a trial measured; docs/cost.md has every formula.
 * @module
 */

/** What a request is on average, in tokens. */
export interface TokenMix {
  /** Tokens of the prompt, cached ones included. */
  readonly promptTokens: number;
  /** Those of them that came from a prefix cache. */
  readonly cachedTokens: number;
  readonly answerTokens: number;
}

/** How many requests there are to answer. */
export interface Volume {
  readonly requestsPerMonth: number;
  /** Rate in the busiest hour over the mean rate: machines are counted for the former. At least 1. */
  readonly peakToMean: number;
  /** The prices file's figure, the traffic's rate, or 30 % of what the machine of the trial can do. */
  readonly basis: "prices" | "traffic" | "assumed";
}

/** Where a capacity comes from; a report never shows one kind as another. */
export type CapacityBasis = "measured" | "predicted" | "assumed";

/** What a machine of this option can do. */
export interface Capacity {
  /** Requests a second that one machine answers within the objectives. */
  readonly requestsPerSecond: number;
  readonly basis: CapacityBasis;
}

/** What the wall socket sees of one machine. */
export interface Power {
  readonly idleWatts: number;
  readonly busyWatts: number;
  readonly basis: "measured" | "estimated" | "given";
}

interface Named {
  /** Unique; what break-evens are told by. */
  readonly id: string;
  readonly name: string;
  /** Name of the trial's alternative that is this, if one was measured. */
  readonly alternative?: string;
}

/** A machine that one buys and runs. */
export interface OwnOption extends Named {
  readonly kind: "own";
  readonly capacity: Capacity;
  /** What one machine costs to buy. */
  readonly price: number;
  readonly lifeYears: number;
  /** Share of the price that it still brings at the end of its life, 0 to 1. */
  readonly residualShare: number;
  /** What money costs a year, as a share: 0.03 is 3 %. 0 writes off in equal parts. */
  readonly interestPerYear: number;
  /** Repairs and support contract a year, as a share of the price. */
  readonly maintenancePerYear: number;
  readonly power: Power;
  readonly powerPricePerKwh: number;
  /** Power of the site over power of its machines. At least 1. */
  readonly pue: number;
  readonly rackUnits: number;
  readonly rackUnitPerMonth: number;
  /** Hours a month that people spend on one machine. */
  readonly staffHoursPerMonth: number;
  readonly staffPerHour: number;
}

/** A machine that one rents by the hour. */
export interface RentedOption extends Named {
  readonly kind: "cloud-cpu" | "rented-gpu";
  readonly capacity: Capacity;
  readonly pricePerHour: number;
  /** Hours a month that it runs: 730 when it is never switched off. */
  readonly hoursPerMonth: number;
  /** Disks, addresses and the like, for each machine. */
  readonly extrasPerMonth: number;
  readonly staffHoursPerMonth: number;
  readonly staffPerHour: number;
}

/** A service that is paid by the token. */
export interface ApiOption extends Named {
  readonly kind: "api";
  readonly inputPerMillion: number;
  readonly cachedInputPerMillion: number;
  readonly outputPerMillion: number;
  /** What is due without a single token. */
  readonly fixedPerMonth: number;
}

export type CostOption = OwnOption | RentedOption | ApiOption;
export type MachineOption = OwnOption | RentedOption;

/** A figure with where it comes from. */
export interface SourcedFigure {
  /** Where it stands in the prices file, such as `options[0].price`. */
  readonly path: string;
  /** In the prices' own unit and currency. */
  readonly value: number;
  /** Currency of an amount of money, as the file has it; null for other figures. */
  readonly currency: string | null;
  /** YYYY-MM-DD on which it was so. */
  readonly date: string;
  readonly source: string;
  /** It stands in for a figure that the reader has to put there. */
  readonly placeholder: boolean;
}

/** All that `assessCost` needs. */
export interface CostInputs {
  /** ISO 4217; all amounts are in it. */
  readonly currency: string;
  /** YYYY-MM-DD of the prices file. */
  readonly date: string;
  readonly mix: TokenMix;
  readonly volume: Volume;
  /** Machines beyond those that the peak needs, for when one fails. */
  readonly spareMachines: number;
  /** The first is the machine of the trial, to which the others are compared. */
  readonly options: readonly CostOption[];
  /** Options of the file that could not be reckoned, and why. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
  readonly sources: readonly SourcedFigure[];
}
