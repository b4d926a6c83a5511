/** Options of an engine that travel to its worker. @module */

import type { CallersOption, LoadOptions } from "./options/load.ts";

/** What of a model's options its engine has to know. */
type Travelling = Omit<LoadOptions, CallersOption>;

/** Those that are the scheduler's. */
type SchedulingOption =
  | "sequencesMax"
  | "classes"
  | "ageingMs"
  | "prefixCache"
  | "prefixHashKey"
  | "prefixStore"
  | "speculation";

/**
 * How a model lies in memory and is computed: of {@linkcode LoadOptions}, and what planning adds. All
 * optional.
 */
export interface ComputeOptions extends Omit<Travelling, SchedulingOption> {
  /**
   * Threads of the kernels; default: `cpus`, or the cores this process may use, or 1 for a model of a few MB.
   */
  threads?: number;
  /**
   * The CPUs that the kernels may use; the calling thread keeps to them until the runner is closed. Default:
   * as the system likes.
   */
  cpus?: readonly number[];
  /**
   * The memory node for weights, workspace and KV cache, and whose CPUs are used unless `cpus` names others.
   */
  numaNode?: number;
  /** So many runners with a KV cache of their own share the memory that is left; default 1. */
  memorySharers?: number;
  /** Most tokens of one step whose logits are wanted; default 32. */
  logitsRowsMax?: number;
}

/** Options of the engine. All optional. Its classes are {@linkcode LIBRARY_CLASSES} by default. */
export interface EngineOptions extends ComputeOptions, Travelling {
  /** The file of a smaller model that guesses ahead. */
  draftPath?: string;
}

/** Whether a model's own predictor guesses, if it has one: nobody else does, and guesses are wanted. */
export function wantsPredictor(
  { speculation, draftPath }: Pick<EngineOptions, "speculation" | "draftPath">,
): boolean {
  return speculation !== "off" && draftPath === undefined;
}
