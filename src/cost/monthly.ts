/** What an option costs a month: the formulas of docs/cost.md, one function each. @module */

import type {
  ApiOption,
  CostInputs,
  CostOption,
  MachineOption,
  OwnOption,
  TokenMix,
  Volume,
} from "./inputs.ts";

/** Hours of a month: 8760 hours a year over 12. */
export const HOURS_PER_MONTH = 730;
export const SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600;
/** Machines that a comparison goes up to: beyond it an option is no longer one. */
export const MACHINES_MAX = 100_000;

/** What a month costs, by what it is spent on; all that is not zero adds up to `total`. */
export interface MonthlyCost {
  readonly machines: number;
  readonly hardware: number;
  readonly maintenance: number;
  readonly energy: number;
  readonly rack: number;
  readonly staff: number;
  /** Hours of rented machines, and what comes with them. */
  readonly rent: number;
  /** Tokens of an API, and its fixed part. */
  readonly tokens: number;
  readonly total: number;
}

/** T = P + A: tokens of a request, prompt and answer together. */
export function tokensPerRequest({ promptTokens, answerTokens }: TokenMix): number {
  return promptTokens + answerTokens;
}

/**
 * K: what one machine loses a month. Without interest K = p · (1 − r) / (12 · L); with a monthly rate
 * j = i / 12 and n = 12 · L months it is the annuity K = (p − r · p / (1 + j)^n) · j / (1 − (1 + j)^−n).
 */
export function hardwarePerMonth(option: OwnOption): number {
  const { price, lifeYears, residualShare, interestPerYear } = option;
  const months = 12 * lifeYears;
  if (interestPerYear === 0) return price * (1 - residualShare) / months;
  const rate = interestPerYear / 12;
  const growth = (1 + rate) ** months;
  return (price - residualShare * price / growth) * rate / (1 - 1 / growth);
}

/** M = m · p / 12. */
export function maintenancePerMonth({ price, maintenancePerYear }: OwnOption): number {
  return maintenancePerYear * price / 12;
}

/** E(u) = (Wi + (Wb − Wi) · u) / 1000 · PUE · 730 · e, for one machine that is busy a share `u` of its time. */
export function energyPerMonth(option: OwnOption, utilisation: number): number {
  const { power: { idleWatts, busyWatts }, pue, powerPricePerKwh } = option;
  const watts = idleWatts + (busyWatts - idleWatts) * utilisation;
  return watts / 1000 * pue * HOURS_PER_MONTH * powerPricePerKwh;
}

/** n = max(1, ⌈V · k / (730 · 3600 · c)⌉) + spare. */
export function machinesFor(
  option: MachineOption,
  { requestsPerMonth, peakToMean }: Omit<Volume, "basis">,
  spare: number,
) {
  const needed = requestsPerMonth * peakToMean / (SECONDS_PER_MONTH * option.capacity.requestsPerSecond);
  // A volume that was reckoned to be just what n machines do needs n of them, whatever the last bit says.
  return Math.max(1, Math.ceil(needed * (1 - 1e-12))) + spare;
}

/** D = ((P − C) · a + C · b + A · o) / 10⁶: one request at an API. */
export function apiPerRequest(option: ApiOption, mix: TokenMix): number {
  const { inputPerMillion, cachedInputPerMillion, outputPerMillion } = option;
  const { promptTokens, cachedTokens, answerTokens } = mix;
  return ((promptTokens - cachedTokens) * inputPerMillion + cachedTokens * cachedInputPerMillion +
    answerTokens * outputPerMillion) / 1e6;
}

/** What one machine costs a month while it is busy a share `utilisation` of its time. */
export function machinePerMonth(option: MachineOption, utilisation: number): Omit<MonthlyCost, "machines"> {
  const staff = option.staffHoursPerMonth * option.staffPerHour;
  if (option.kind === "own") {
    const hardware = hardwarePerMonth(option);
    const maintenance = maintenancePerMonth(option);
    const energy = energyPerMonth(option, utilisation);
    const rack = option.rackUnits * option.rackUnitPerMonth;
    const total = hardware + maintenance + energy + rack + staff;
    return { hardware, maintenance, energy, rack, staff, rent: 0, tokens: 0, total };
  }
  const rent = option.pricePerHour * option.hoursPerMonth + option.extrasPerMonth;
  return { hardware: 0, maintenance: 0, energy: 0, rack: 0, staff, rent, tokens: 0, total: rent + staff };
}

/** What a volume of requests costs a month. */
export function monthlyCost(
  option: CostOption,
  inputs: Pick<CostInputs, "mix" | "spareMachines">,
  volume: Omit<Volume, "basis">,
): MonthlyCost {
  if (option.kind === "api") {
    const tokens = volume.requestsPerMonth * apiPerRequest(option, inputs.mix) + option.fixedPerMonth;
    return {
      machines: 0,
      hardware: 0,
      maintenance: 0,
      energy: 0,
      rack: 0,
      staff: 0,
      rent: 0,
      tokens,
      total: tokens,
    };
  }
  const machines = machinesFor(option, volume, inputs.spareMachines);
  const capacity = machines * option.capacity.requestsPerSecond * SECONDS_PER_MONTH;
  const each = machinePerMonth(option, volume.requestsPerMonth / capacity);
  return {
    machines,
    hardware: machines * each.hardware,
    maintenance: machines * each.maintenance,
    energy: machines * each.energy,
    rack: machines * each.rack,
    staff: machines * each.staff,
    rent: machines * each.rent,
    tokens: 0,
    total: machines * each.total,
  };
}
