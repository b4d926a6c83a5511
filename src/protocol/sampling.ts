import { type Check, checkRange, isNumber, isRecord } from "./arguments.ts";
import { limits } from "../ffi/symbols.ts";

/** How the next token is chosen. All optional; {@linkcode samplingDefaults} has the defaults. */
export interface SamplingOptions {
  /** 0 takes the likeliest token; higher is more varied. 0 to 10. */
  temperature?: number;
  /** Keep only the k likeliest tokens; 0 keeps all. */
  topK?: number;
  /** Keep the likeliest tokens that together have this probability; 1 keeps all. */
  topP?: number;
  /** Keep tokens at least this likely, relative to the likeliest; 0 keeps all. */
  minP?: number;
  /** Divides (or multiplies, where negative) the logits of recent tokens; 1 does nothing. Keskar et al. 2019. */
  repeatPenalty?: number;
  /** Subtracted once from the logits of recent tokens. −2 to 2. */
  presencePenalty?: number;
  /** Subtracted for every recent occurrence of a token. −2 to 2. */
  frequencyPenalty?: number;
  /** How many of the latest tokens, prompt included, the three penalties look at. */
  penaltyTokens?: number;
  /** Added to the logits of single tokens, by id: −100 forbids, 100 all but forces. */
  logitBias?: Readonly<Record<number, number>>;
  /** The same request with the same seed gives the same tokens. Random when left out. */
  seed?: number;
  /** Give the log-probability of each token, and of this many likeliest alternatives. 0 to 20. */
  logprobs?: number;
}

/** What each is of; the ranges are checked with the defaults. */
export const SAMPLING_CHECKS: Readonly<Record<keyof SamplingOptions, Check>> = {
  temperature: isNumber,
  topK: isNumber,
  topP: isNumber,
  minP: isNumber,
  repeatPenalty: isNumber,
  presencePenalty: isNumber,
  frequencyPenalty: isNumber,
  penaltyTokens: isNumber,
  logitBias: isRecord,
  seed: isNumber,
  logprobs: isNumber,
};

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

interface Rule {
  min: number;
  max: number;
  integer?: true;
  fallback: number;
}

const LOGIT_BIAS_MAX = 1024;

/** What the numbers among the options may be, and are when nobody sets them. */
export const SAMPLING_RULES = {
  temperature: { min: 0, max: 10, fallback: 0.8 },
  topK: { min: 0, max: 1 << 20, integer: true, fallback: 40 },
  topP: { min: 0, max: 1, fallback: 0.95 },
  minP: { min: 0, max: 1, fallback: 0.05 },
  repeatPenalty: { min: 0.01, max: 10, fallback: 1 },
  presencePenalty: { min: -2, max: 2, fallback: 0 },
  frequencyPenalty: { min: -2, max: 2, fallback: 0 },
  penaltyTokens: { min: 0, max: 4096, integer: true, fallback: 64 },
} as const satisfies Record<string, Rule>;

type RuledName = keyof typeof SAMPLING_RULES;

/** What the ruled options are when nobody sets them. */
export const samplingDefaults: Readonly<Record<RuledName, number>> = Object.fromEntries(
  Object.entries(SAMPLING_RULES).map(([name, rule]) => [name, rule.fallback]),
) as Record<RuledName, number>;

/**
 * `value` if it is a number within the rule. Throws a RangeError naming the option and its current value, a TypeError where it is
 * no number.
 */
export function checkNumber(name: string, value: unknown, rule: Omit<Rule, "fallback">): number {
  return checkRange(`Option "${name}"`, value, rule);
}

/** Checks the options and fills in the defaults. `vocab`: tokens the model has. Throws a RangeError. */
export function resolveSampling(options: SamplingOptions, vocab: number): SamplingParams {
  const params = Object.fromEntries(
    Object.entries(SAMPLING_RULES).map(([name, rule]) => {
      const value = options[name as RuledName];
      return [name, value === undefined ? rule.fallback : checkNumber(name, value, rule)];
    }),
  ) as Record<RuledName, number>;
  const { seed, logprobs } = options;
  return {
    ...params,
    logitBias: resolveBias(options.logitBias ?? {}, vocab),
    seed: seed === undefined ? randomSeed() : checkNumber("seed", seed, SEED_RULE),
    logprobs: logprobs === undefined ? undefined : checkNumber("logprobs", logprobs, LOGPROBS_RULE),
  };
}

export const SEED_RULE = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true } as const;
/** How many alternatives there are to a token at most. */
export const LOGPROBS_RULE = { min: 0, max: limits.sampleTopMax, integer: true } as const;

function resolveBias(bias: Readonly<Record<number, number>>, vocab: number): (readonly [number, number])[] {
  const entries = Object.entries(bias);
  if (entries.length > LOGIT_BIAS_MAX) {
    throw new RangeError(
      `Option "logitBias" must have at most ${LOGIT_BIAS_MAX} tokens, current count is ${entries.length}`,
    );
  }
  return entries.map(([id, value]) => [
    checkNumber("logitBias: token id", Number(id), { min: 0, max: vocab - 1, integer: true }),
    checkNumber(`logitBias[${id}]`, value, { min: -100, max: 100 }),
  ]);
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
