/**
 * How a model's authors would have it sampled: the keys `general.sampling.…` that converters write from what
 * stands beside the weights. Used where the caller says nothing.
 * @module
 */

import { showValue } from "../gguf/metadata.ts";
import type { MetadataValue } from "../gguf/value_types.ts";
import { rangeOf } from "./options/kind.ts";
import { SAMPLING, type samplingDefaults } from "./options/sampling.ts";

/** Defaults that a file sets; those that it does not are the library's. */
export type FileSampling = Readonly<Partial<Record<keyof typeof samplingDefaults, number>>>;

const PREFIX = "general.sampling.";

const KEYS: Readonly<Record<string, keyof FileSampling>> = {
  temp: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  penalty_repeat: "repeatPenalty",
  penalty_last_n: "penaltyTokens",
};

/** Samplers that are not here, by the key that would switch them on. */
const OTHERS: Readonly<Record<string, string>> = { xtc_probability: "XTC", mirostat: "Mirostat" };

/** What a file says of sampling, and a sentence for each value that cannot be used: it is passed over. */
export function readFileSampling(
  metadata: ReadonlyMap<string, MetadataValue>,
): { readonly sampling: FileSampling; readonly notes: readonly string[] } {
  const sampling: Partial<Record<keyof FileSampling, number>> = {};
  const notes: string[] = [];
  for (const [key, name] of Object.entries(KEYS)) {
    const value = metadata.get(PREFIX + key);
    if (value === undefined) continue;
    const { min, max, integer } = rangeOf(SAMPLING[name].kind);
    // Converters write 32-bit floats: what was 0.6 reads 0.6000000238418579.
    const number = typeof value === "number" ? (integer ? value : Number(value.toPrecision(6))) : NaN;
    if (number >= min && number <= max && (!integer || Number.isInteger(number))) sampling[name] = number;
    else notes.push(`${PREFIX}${key} is ${showValue(value)}, which must be from ${min} to ${max}: not used`);
  }
  for (const [key, what] of Object.entries(OTHERS)) {
    const value = metadata.get(PREFIX + key);
    if (value !== undefined && value !== 0) {
      notes.push(`${PREFIX}${key} asks for ${what}, which is not here: not used`);
    }
  }
  return { sampling, notes };
}
