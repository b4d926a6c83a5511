/** Options of an engine that travel to its worker. @module */

import type { LatencyClass } from "../../scheduler/mod.ts";
import type { KvFormat } from "../gguf/mod.ts";

/** How the KV cache uses memory. All optional. */
export interface KvOptions {
  /** Commit all of its memory while the model loads, instead of when tokens first need it. */
  prefault?: boolean;
  /**
   * Ask the system for huge pages (true) or for small ones (false); default: as the system does by itself. Huge pages
   * commit 2 MiB in every layer and head with the first token.
   */
  hugePages?: boolean;
  /** Free runs of at least so many blocks go back to the system; Infinity for never, the default with `prefault`. */
  giveBackBlocks?: number;
  /** Load even if weights, KV cache and a margin are more than the memory that is available. */
  overcommit?: boolean;
}

/** How a model lies in memory and is computed. All optional. */
export interface ComputeOptions {
  /** Threads of the kernels; default: `cpus`, or the cores this process may use, or 1 for a model of a few MB. */
  threads?: number;
  /**
   * The CPUs that the kernels may use; the calling thread keeps to them until the runner is closed. Default: as the system
   * likes.
   */
  cpus?: readonly number[];
  /** The memory node for weights, workspace and KV cache, and whose CPUs are used unless `cpus` names others. */
  numaNode?: number;
  /** An instruction set level by name; default: the best that this CPU has. */
  isa?: string;
  /**
   * Longest sequence in tokens, prompt and answer together; default: the model's own, or what the KV cache can hold of it where
   * `kvTokens` or the memory does not allow more.
   */
  contextLength?: number;
  /**
   * Tokens that the KV cache holds for all sequences together; default: 16,384, or one context where that is
   * longer or memory is short. Memory is used as tokens come.
   */
  kvTokens?: number;
  /** Default f16; q8_0 takes little more than half of that memory and needs heads of a multiple of 32 elements. */
  kvFormat?: KvFormat;
  kv?: KvOptions;
  /** So many runners with a KV cache of their own share the memory that is left; default 1. */
  memorySharers?: number;
  /** Most tokens computed in one step; default 512. */
  batchTokensMax?: number;
  /** Most tokens of one step whose logits are wanted; default 32. */
  logitsRowsMax?: number;
  /** The kernel library; default: the one that this checkout built. */
  libraryPath?: string;
}

/** Options of the engine. All optional. */
export interface EngineOptions extends ComputeOptions {
  /** Most requests computed together; the others wait. */
  sequencesMax?: number;
  /** Default: {@linkcode LIBRARY_CLASSES}. */
  classes?: readonly LatencyClass[];
  /** The oldest request of a class goes first after this many ms. */
  ageingMs?: number;
  /** Whether prompts that begin alike share what was computed for them; default true. */
  prefixCache?: boolean;
}
