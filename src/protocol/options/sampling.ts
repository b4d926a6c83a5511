/** The options of sampling. @module */

import { limits } from "../../ffi/symbols.ts";
import { byToken, integer, number } from "./kind.ts";
import { type Agreement, defaultsOf, type OptionTable } from "./option.ts";

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
  /**
   * Divides (or multiplies, where negative) the logits of recent tokens; 1 does nothing. Keskar et al. 2019.
   */
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

export const SAMPLING = {
  temperature: {
    kind: number(0, 10),
    default: 0.8,
    doc: "0 takes the likeliest token each time",
    setBy: ["terminal", "client"],
    flag: { value: "T" },
    // OpenAI's documentation: "between 0 and 2".
    field: { max: 2 },
  },
  topK: {
    kind: integer(0, 1 << 20),
    default: 40,
    doc: "only the N likeliest tokens",
    docFor: { client: "Only this many of the likeliest tokens; 0 or -1: all." },
    unit: "tokens",
    setBy: ["terminal", "client"],
    flag: { value: "N" },
    // Clients of vLLM's and llama.cpp's servers write −1 for all.
    field: { min: -1 },
  },
  topP: {
    kind: number(0, 1),
    default: 0.95,
    doc: "the smallest set of tokens with probability P in total",
    docFor: { client: "Only the likeliest tokens that together have this probability." },
    setBy: ["terminal", "client"],
    flag: { value: "P" },
  },
  minP: {
    kind: number(0, 1),
    default: 0.05,
    doc: "only tokens at least P times as likely as the likeliest",
    docFor: { client: "Only tokens at least this likely, relative to the likeliest." },
    setBy: ["terminal", "client"],
    flag: { value: "P" },
  },
  repeatPenalty: {
    kind: number(0.01, 10),
    default: 1,
    doc: "over 1 makes tokens already there less likely",
    docFor: { client: "Over 1 makes recent tokens less likely." },
    setBy: ["terminal", "client"],
    flag: { value: "R" },
  },
  presencePenalty: {
    kind: number(-2, 2),
    default: 0,
    doc: "subtracted once from tokens already there",
    docFor: { client: "Subtracted once from the logits of recent tokens." },
    setBy: ["terminal", "client"],
    flag: { value: "R" },
  },
  frequencyPenalty: {
    kind: number(-2, 2),
    default: 0,
    doc: "subtracted for each time a token was there",
    docFor: { client: "Subtracted for each recent occurrence of a token." },
    setBy: ["terminal", "client"],
    flag: { value: "R" },
  },
  penaltyTokens: {
    kind: integer(0, 4096),
    default: 64,
    doc: "how many of the latest tokens the three penalties look at",
    unit: "tokens",
    setBy: ["client"],
  },
  logitBias: {
    kind: byToken(number(-100, 100), 1024),
    doc: "added to the logits of tokens, by id",
    setBy: ["client"],
  },
  seed: {
    kind: integer(0, Number.MAX_SAFE_INTEGER),
    doc: "same seed, same text",
    docFor: {
      client:
        "The same request with the same seed gives the same tokens; -1: a random one. Answer i of several has seed + i.",
    },
    setBy: ["terminal", "client"],
    flag: { value: "N" },
    // Clients of llama.cpp's server write −1 for any.
    field: { min: -1 },
  },
  logprobs: {
    kind: integer(0, limits.sampleTopMax),
    doc: "give the log-probability of each token, and of so many likeliest alternatives",
    setBy: ["client"],
  },
} as const satisfies OptionTable;

true satisfies Agreement<SamplingOptions, typeof SAMPLING>;

/** What the sampling options are when nobody sets them. */
export const samplingDefaults: {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repeatPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly penaltyTokens: number;
} = defaultsOf(SAMPLING);
