/** The options that `chat` and `run` share. @module */

import { isKvFormat, type KvFormat, kvFormatNames } from "../gguf/mod.ts";
import { parseCpuList } from "../ffi/cpu_list.ts";
import { LOAD_BOUNDS } from "../protocol/load_bounds.ts";
import { MAX_TOKENS_RULE } from "../client/generation_options.ts";
import { SAMPLING_RULES, type SamplingOptions, SEED_RULE } from "../protocol/sampling.ts";
import { threadsOption } from "./threads_option.ts";
import { type Arguments, numberOption, type OptionSpec, UsageError } from "./command.ts";

/** The option `--kv`. */
export const KV_OPTION: OptionSpec = {
  name: "kv",
  value: kvFormatNames.join("|"),
  help: "format of the KV cache",
  default: kvFormatNames[0],
};

/** The value of `--kv`. */
export function kvOption(args: Arguments): KvFormat {
  const name = args.values.get("kv") ?? kvFormatNames[0];
  if (isKvFormat(name)) return name;
  throw new UsageError(`--kv takes ${kvFormatNames.join(", ")}, current value is ${name}`);
}

/** Options for how the model is loaded. */
export const LOAD_OPTIONS: readonly OptionSpec[] = [
  {
    name: "model",
    alias: "m",
    value: "PATH|hf:…",
    help: "GGUF file, or hf:owner/repo/file.gguf",
    default: "demo",
  },
  { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
  {
    name: "cpus",
    value: "LIST",
    help: "CPUs to use, such as 0-3,8; default: all that this process may use",
  },
  { name: "workers", value: "N", help: "engine workers that share them; default: one for each memory node" },
  { name: "context", alias: "c", value: "N", help: "tokens of context; default: the model's" },
  KV_OPTION,
  { name: "prefault", help: "commit the KV cache's memory while loading, not when tokens need it" },
  { name: "huge-pages", help: "ask for huge pages for the KV cache: faster with long contexts, more memory" },
];

/** Options for how tokens are chosen. */
export const SAMPLING_OPTIONS: readonly OptionSpec[] = [
  { name: "temperature", value: "T", help: "0 takes the likeliest token each time" },
  { name: "top-k", value: "N", help: "only the N likeliest tokens" },
  { name: "top-p", value: "P", help: "the smallest set of tokens with probability P in total" },
  { name: "min-p", value: "P", help: "only tokens at least P times as likely as the likeliest" },
  { name: "repeat-penalty", value: "R", help: "over 1 makes tokens already there less likely" },
  { name: "presence-penalty", value: "R", help: "subtracted once from tokens already there" },
  { name: "frequency-penalty", value: "R", help: "subtracted for each time a token was there" },
  { name: "seed", value: "N", help: "same seed, same text" },
  { name: "max-tokens", alias: "n", value: "N", help: "stop after N tokens" },
  { name: "stop", value: "TEXT", help: "stop before this text" },
];

/** Load options as `loadModel` and `loadModelRunner` take them. `contextMin`: least value of `--context`. */
export function loadOptions(args: Arguments, contextMin = LOAD_BOUNDS.contextLength.min) {
  const cpus = args.values.get("cpus");
  return {
    cpus: cpus === undefined ? undefined : cpuList(cpus),
    kv: {
      prefault: args.switches.has("prefault"),
      hugePages: args.switches.has("huge-pages") ? true : undefined,
    },
    threads: threadsOption(args),
    contextLength: numberOption(args, "context", { ...LOAD_BOUNDS.contextLength, min: contextMin }),
    kvFormat: kvOption(args),
  } as const;
}

function cpuList(text: string): number[] {
  try {
    return parseCpuList(text);
  } catch (error) {
    throw new UsageError(`--cpus: ${(error as Error).message}`);
  }
}

/** Sampling options as `generate` and `chat` take them; only what was given. */
export function samplingOptions(args: Arguments): SamplingOptions & { maxTokens?: number; stop?: string[] } {
  const stop = args.values.get("stop");
  const given = {
    temperature: numberOption(args, "temperature", SAMPLING_RULES.temperature),
    topK: numberOption(args, "top-k", SAMPLING_RULES.topK),
    topP: numberOption(args, "top-p", SAMPLING_RULES.topP),
    minP: numberOption(args, "min-p", SAMPLING_RULES.minP),
    repeatPenalty: numberOption(args, "repeat-penalty", SAMPLING_RULES.repeatPenalty),
    presencePenalty: numberOption(args, "presence-penalty", SAMPLING_RULES.presencePenalty),
    frequencyPenalty: numberOption(args, "frequency-penalty", SAMPLING_RULES.frequencyPenalty),
    seed: numberOption(args, "seed", SEED_RULE),
    maxTokens: numberOption(args, "max-tokens", MAX_TOKENS_RULE),
    stop: stop === undefined ? undefined : [stop],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
