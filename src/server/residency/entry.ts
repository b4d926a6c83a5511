/** A model that a server can load. @module */

import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { LoadOptions } from "../../protocol/options/load.ts";

/** A model by its name, and how it is loaded where that is not as the others are. */
export interface SharedModel
  extends Omit<LoadOptions, "progress" | "signal" | "onStuck" | "onWait" | "libraryPath" | "label"> {
  /** Its name in requests. */
  readonly name: string;
  /** A path, `hf:owner/repo/file.gguf`, a name such as "smollm2", or "demo". */
  readonly model: string;
  /** Other names for it in requests. */
  readonly aliases?: readonly string[];
  /** Ms after its last use at which it leaves memory; default: as the others. */
  readonly keepAliveMs?: number;
}

/** How long names of models may be, in characters. */
export const MODEL_NAME_MAX = 256;

/** Why a name cannot be one; null where it can. */
export function nameProblem(name: string): string | null {
  if (name === "" || name.length > MODEL_NAME_MAX) return `must have 1 to ${MODEL_NAME_MAX} characters`;
  if (name !== name.trim()) return "must not begin or end with white space";
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name) || !name.isWellFormed()) {
    return "must have no control characters";
  }
  // Ollama's clients add it to any name.
  if (name.endsWith(":latest")) return 'must not end with ":latest"';
  return null;
}

/** Throws a RangeError for names that cannot be or that two models have. */
export function checkNames(models: readonly Pick<SharedModel, "name" | "aliases">[]): void {
  const taken = new Set<string>();
  for (const { name, aliases = [] } of models) {
    for (const each of [name, ...aliases]) {
      const problem = nameProblem(each);
      if (problem !== null) throw new RangeError(`The model's name ${JSON.stringify(each)} ${problem}`);
      if (taken.has(each)) throw new RangeError(`Two models are called ${JSON.stringify(each)}`);
      taken.add(each);
    }
  }
}

/** The options that a model is loaded with: its own, and those of all for the rest. */
export function loadOptionsOf(
  { name: _, model: __, aliases: ___, keepAliveMs: ____, ...own }: SharedModel,
  common: LoadOptions & { readonly classes: readonly LatencyClass[] },
): LoadOptions & { readonly classes: readonly LatencyClass[] } {
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...common, ...Object.fromEntries(given) };
}
