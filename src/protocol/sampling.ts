/** Sampling as an engine takes it: checked, with defaults. @module */

import { checkNumber } from "./arguments.ts";
import type { FileSampling } from "./file_sampling.ts";
import { rangeOf } from "./options/kind.ts";
import { SAMPLING, samplingDefaults, type SamplingOptions } from "./options/sampling.ts";

/** Sampling options with every default filled in. */
export interface SamplingParams {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repeatPenalty: number;
  presencePenalty: number;
  frequencyPenalty: number;
  penaltyTokens: number;
  /** Pairs of token id and bias. */
  logitBias: (readonly [number, number])[];
  seed: number;
  /** Undefined where no log-probabilities are wanted. */
  logprobs?: number;
}

type NumberName = keyof typeof samplingDefaults;

/**
 * Checks the options and fills in the defaults: the model's own, else {@linkcode samplingDefaults}. `vocab`:
 * tokens the model has. Throws a RangeError.
 */
export function resolveSampling(
  options: SamplingOptions,
  vocab: number,
  own: FileSampling = {},
): SamplingParams {
  const params = Object.fromEntries(
    (Object.keys(samplingDefaults) as NumberName[]).map((name) => {
      const value = options[name];
      return [name, value === undefined ? own[name] ?? samplingDefaults[name] : checkSampling(name, value)];
    }),
  ) as Record<NumberName, number>;
  const { seed, logprobs } = options;
  return {
    ...params,
    logitBias: resolveBias(options.logitBias ?? {}, vocab),
    seed: seed === undefined ? randomSeed() : checkSampling("seed", seed),
    logprobs: logprobs === undefined ? undefined : checkSampling("logprobs", logprobs),
  };
}

function checkSampling(name: NumberName | "seed" | "logprobs", value: number): number {
  return checkNumber(name, value, rangeOf(SAMPLING[name].kind));
}

function resolveBias(bias: Readonly<Record<number, number>>, vocab: number): (readonly [number, number])[] {
  const { max, of } = SAMPLING.logitBias.kind;
  const entries = Object.entries(bias);
  if (entries.length > max) {
    throw new RangeError(
      `Option "logitBias" must have at most ${max} tokens, current count is ${entries.length}`,
    );
  }
  return entries.map(([id, value]) => [
    checkNumber("logitBias: token id", Number(id), { min: 0, max: vocab - 1, integer: true }),
    checkNumber(`logitBias[${id}]`, value, rangeOf(of)),
  ]);
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
