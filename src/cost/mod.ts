/** What answers cost: own machines, rented ones and services side by side. Pure. @module */

export { assessCost, type CostAssessment, type CostAtUtilisation, type OptionCost } from "./assess.ts";
export type { BreakEven, BreakEvenPair } from "./break_even.ts";
export { COST_FORMULAS, type CostFormula } from "./formulas.ts";
export type {
  ApiOption,
  Capacity,
  CapacityBasis,
  CostInputs,
  CostOption,
  MachineOption,
  OwnOption,
  Power,
  RentedOption,
  SourcedFigure,
  TokenMix,
  Volume,
} from "./inputs.ts";
export { moneyFormat } from "./money.ts";
export { HOURS_PER_MONTH, type MonthlyCost, monthlyCost, SECONDS_PER_MONTH } from "./monthly.ts";
export { perMillionTokens, UTILISATIONS } from "./per_million.ts";
export { parsePrices, PricesError, type PricesFile } from "./prices.ts";
export { ASSUMED_UTILISATION, type Measured, resolvePrices } from "./resolve.ts";
export type { Sensitivity, SensitivityBar, SensitivityInput } from "./sensitivity.ts";
