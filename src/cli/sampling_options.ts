/** The options that `chat` and `run` share. @module */

import type { KvFormat } from "../gguf/mod.ts";
import { MODEL_HELP } from "../hub/named_models.ts";
import { GENERATION } from "../protocol/options/generation.ts";
import { DRAFT_UNASKED, LOAD, type LoadOptions } from "../protocol/options/load.ts";
import { settableBy } from "../protocol/options/option.ts";
import type { SamplingOptions } from "../protocol/options/sampling.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { readOption, readOptions, specOf } from "./table_options.ts";
import { warnOfThreads } from "./threads_option.ts";

const OF_LOADING = settableBy("terminal", LOAD);
const OF_ANSWERS = settableBy("terminal", GENERATION);
const KV_FORMAT = { ...LOAD.kvFormat, name: "kvFormat" };

/** The option `--kv`. */
export const KV_OPTION: OptionSpec = specOf(KV_FORMAT, true);

/** The value of `--kv`. */
export function kvOption(args: Arguments): KvFormat {
  return (readOption(args, KV_FORMAT) ?? LOAD.kvFormat.default) as KvFormat;
}

/** Options for how the model is loaded. */
export const LOAD_OPTIONS: readonly OptionSpec[] = [
  {
    name: "model",
    alias: "m",
    value: "MODEL",
    help: MODEL_HELP,
    default: "demo",
  },
  ...OF_LOADING.map((option) => specOf(option, true)),
];

/** Options for how tokens are chosen, and how many. */
export const SAMPLING_OPTIONS: readonly OptionSpec[] = OF_ANSWERS.map((option) => specOf(option));

/** Load options that were given, with the format of the KV cache. */
export type GivenLoadOptions = Omit<LoadOptions, "cpus" | "kvFormat"> & {
  cpus?: readonly number[];
  kvFormat: KvFormat;
};

/**
 * Load options as `loadModel` and `loadModelRunner` take them; only what was given. `contextMin`: least value
 * of `--context`. Says on stderr when there are more threads than CPUs.
 */
export function loadOptions(
  args: Arguments,
  contextMin: number = LOAD.contextLength.kind.min,
): GivenLoadOptions {
  const given = readLoadOptions(args, contextMin);
  warnOfThreads(given.threads);
  return given;
}

/** The same, and says nothing. */
export function readLoadOptions(
  args: Arguments,
  contextMin: number = LOAD.contextLength.kind.min,
): GivenLoadOptions {
  const options = OF_LOADING.map((option) =>
    option.name === "contextLength"
      ? { ...option, kind: { ...LOAD.contextLength.kind, min: contextMin } }
      : option
  );
  const given: LoadOptions = readOptions(args, options);
  if (given.draft !== undefined && given.speculation === "off") {
    throw new UsageError(`--draft and --speculation off: ${DRAFT_UNASKED}`);
  }
  return {
    ...given,
    cpus: given.cpus as readonly number[] | undefined,
    kvFormat: kvOption(args),
  };
}

/** Sampling options as `generate` and `chat` take them; only what was given. */
export function samplingOptions(args: Arguments): SamplingOptions & { maxTokens?: number; stop?: string[] } {
  return readOptions(args, OF_ANSWERS);
}
