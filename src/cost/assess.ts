import { type BreakEvenPair, breakEvens } from "./break_even.ts";
import type { CostInputs } from "./inputs.ts";
import { type MonthlyCost, monthlyCost } from "./monthly.ts";
import { perMillionTokens, UTILISATIONS } from "./per_million.ts";
import { type Sensitivity, sensitivity } from "./sensitivity.ts";

/** Cost of a million tokens at a share of a machine's capacity. */
export interface CostAtUtilisation {
  readonly utilisation: number;
  readonly perMillion: number;
}

/** What an option comes to. */
export interface OptionCost {
  readonly id: string;
  readonly perMillion: readonly CostAtUtilisation[];
  /** For the volume of the inputs. */
  readonly month: MonthlyCost;
  /** `month.total` over the tokens of that volume, for a million of them. */
  readonly perMillionAtVolume: number;
}

/** Everything that a report says of costs. */
export interface CostAssessment {
  readonly options: readonly OptionCost[];
  readonly breakEvens: readonly BreakEvenPair[];
  /** Of the first option that is a machine; null where all are services. */
  readonly sensitivity: Sensitivity | null;
}

/** Utilisation at which inputs are varied: what many servers are used, and the middle of the three shown. */
const REFERENCE_UTILISATION = UTILISATIONS[1];

/** Reckons all of it. Throws a RangeError for inputs that mean nothing, such as a machine that does nothing. */
export function assessCost(inputs: CostInputs): CostAssessment {
  checkInputs(inputs);
  const { mix, volume } = inputs;
  const tokens = volume.requestsPerMonth * (mix.promptTokens + mix.answerTokens);
  const machine = inputs.options.find((option) => option.kind !== "api");
  return {
    options: inputs.options.map((option) => {
      const month = monthlyCost(option, inputs, volume);
      return {
        id: option.id,
        perMillion: UTILISATIONS.map((utilisation) => ({
          utilisation,
          perMillion: perMillionTokens(option, mix, utilisation),
        })),
        month,
        perMillionAtVolume: month.total / tokens * 1e6,
      };
    }),
    breakEvens: breakEvens(inputs),
    sensitivity: machine === undefined ? null : sensitivity(machine, inputs, REFERENCE_UTILISATION),
  };
}

function checkInputs({ mix, volume, options, spareMachines }: CostInputs): void {
  const positive = (what: string, value: number) => {
    if (!(value > 0 && value < Infinity)) {
      throw new RangeError(`${what} must be a number above 0, current value is ${value}`);
    }
  };
  positive("tokens of a request", mix.promptTokens + mix.answerTokens);
  positive("requests a month", volume.requestsPerMonth);
  if (!(mix.cachedTokens >= 0 && mix.cachedTokens <= mix.promptTokens)) {
    throw new RangeError(
      `cached tokens are part of the prompt's ${mix.promptTokens}, current value is ${mix.cachedTokens}`,
    );
  }
  if (!(volume.peakToMean >= 1 && volume.peakToMean < Infinity)) {
    throw new RangeError(`peakToMean must be at least 1, current value is ${volume.peakToMean}`);
  }
  if (!(Number.isInteger(spareMachines) && spareMachines >= 0)) {
    throw new RangeError(`spareMachines must be a whole number from 0, current value is ${spareMachines}`);
  }
  const ids = options.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) < i);
  if (twice !== undefined) throw new RangeError(`two options have the id ${JSON.stringify(twice)}`);
  for (const option of options) {
    if (option.kind !== "api") positive(`capacity of ${option.name}`, option.capacity.requestsPerSecond);
    if (option.kind === "own") positive(`life of ${option.name}`, option.lifeYears);
  }
}
