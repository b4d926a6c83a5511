/** The options of loading a model. @module */

import type { LatencyClass } from "../../../scheduler/mod.ts";
import { parseCpuList } from "../../ffi/cpu_list.ts";
import { limits } from "../../ffi/symbols.ts";
import { type KvFormat, kvFormatNames } from "../../gguf/kv_format.ts";
import { targetNames } from "../../gguf/mixes.ts";
import { anyOf, isFunction, isSignal, isString, isTokens, oneOf } from "../arguments.ts";
import { boolean, integer, number, object, open, own, text, words } from "./kind.ts";
import { latencyClasses } from "./latency_class.ts";
import { type Agreement, checksOf, type OptionTable } from "./option.ts";

/** How far loading has come. */
export interface LoadProgress {
  /** First the file is fetched, if it is not here; then its tensors are read. */
  phase: "download" | "load";
  doneBytes: number;
  totalBytes: number;
}

/**
 * For measuring how good refusals are: a share of all requests, drawn at random, is taken even where it would
 * be refused. Each completion of such a request tells why it would have been, so that its time to the first
 * token can be judged.
 */
export interface OverruleOptions {
  /** From 0 to 1. */
  readonly share: number;
  /** Of the draw; default 0. */
  readonly seed?: number;
}

/** How the KV cache uses memory. All optional. */
export interface KvOptions {
  /** Commit all of its memory while the model loads, instead of when tokens first need it. */
  prefault?: boolean;
  /**
   * Ask the system for huge pages (true) or for small ones (false); default: as the system does by itself.
   * Huge pages commit 2 MiB in every layer and head with the first token.
   */
  hugePages?: boolean;
  /**
   * Free runs of at least so many blocks go back to the system; Infinity for never, the default with
   * `prefault`.
   */
  giveBackBlocks?: number;
  /** Load even if weights, KV cache and a margin are more than the memory that is available. */
  overcommit?: boolean;
}

/** Where what was computed for prompts is kept beyond the KV cache. */
export interface PrefixStoreOptions {
  /** A folder, made where it is not there. Several programs may use one. */
  readonly dir: string;
  /** Most bytes that its files take; default 4 GiB. */
  readonly bytesMax?: number;
  /** 32 bytes in base64, with which all is encrypted (AES-256-GCM); default: nothing is. */
  readonly key?: string;
}

/** Default of {@linkcode PrefixStoreOptions.bytesMax}. */
export const PREFIX_STORE_BYTES = 4 * 2 ** 30;
/** Bytes of a key. */
export const STORE_KEY_BYTES = 32;

/** How a model is loaded. All optional. */
export interface LoadOptions {
  /**
   * Threads of the kernels in each worker; default: its share of the cores this process may use, or 1 for a
   * model of a few MB.
   */
  threads?: number;
  /** The CPUs to use, as numbers or as a list such as "0-3,8"; default: all that this process may use. */
  cpus?: string | readonly number[];
  /** Engine workers; default: one for each NUMA node. */
  workers?: number;
  /**
   * Whether workers share one copy of the weights: true, the default, for one copy in each NUMA node, "all"
   * for a single one, false for one in each worker.
   */
  shareWeights?: boolean | "all";
  /**
   * "process": each engine runs in a process of its own, so that its crash ends neither this program nor a request; it
   * needs `--allow-run`, and weights are not shared. Default "worker": in threads of this process.
   */
  isolation?: "worker" | "process";
  /**
   * Quantises the weights while loading, to a mix or a format such as "q4_k_m" or "q8_0"; what is loaded holds F32, F16
   * or BF16. Default: the weights as they are.
   */
  weights?: string;
  /** An instruction set level by name; default: the best that this CPU has. */
  isa?: string;
  /**
   * Longest sequence in tokens, prompt and answer together; default: the model's own, or what the KV cache
   * can hold of it where `kvTokens` or the memory does not allow more: then the model's `info.notes` say so.
   */
  contextLength?: number;
  /**
   * Tokens that each worker's KV cache holds for all requests together; default: 16,384, or one context where
   * that is longer or memory is short. Memory is used as tokens come.
   */
  kvTokens?: number;
  /**
   * How keys and values are stored; default f16. q8_0 takes little more than half and needs heads of a
   * multiple of 32 elements.
   */
  kvFormat?: KvFormat;
  /** How the KV cache uses memory. */
  kv?: KvOptions;
  /** Most requests computed together by a worker; the others wait. Default 32. */
  sequencesMax?: number;
  /**
   * The latency classes that requests may name; default: "interactive" and "batch", which refuse nothing for
   * its time.
   */
  classes?: readonly LatencyClass[];
  /** The oldest request of a class goes first after this many ms. */
  ageingMs?: number;
  /** Whether prompts that begin alike share what was computed for them; default true. */
  prefixCache?: boolean;
  /**
   * How the next tokens of answers are guessed: "auto", the default, from what repeats itself in prompt and answer and by a layer that the
   * model has for it, with one or two answers at a time and where that pays; "off": they are not.
   */
  speculation?: "auto" | "off";
  /**
   * A smaller model with the same tokens that guesses ahead where nothing repeats itself: a path, `hf:…` or a name, as the model itself.
   * Each worker loads it. Default: none.
   */
  draft?: string;
  /**
   * Keeps what was computed for beginnings that prompts share, and for long prompts, in a folder, and reads it back after a restart or
   * when the KV cache had no room for it. Answers have the same bits. Default: nothing is kept.
   */
  prefixStore?: PrefixStoreOptions;
  /**
   * For recording traffic: what is told of a request that was taken has a hash for each full block of its
   * prompt, keyed with this. Prompts that begin alike have the first hashes in common; nothing else can be
   * seen from them without the key. Default: no hashes.
   */
  prefixHashKey?: string;
  /** Most tokens computed in one step; default 512. */
  batchTokensMax?: number;
  /** The kernel library; default: the one that this checkout built. */
  libraryPath?: string;
  /** What the model is called in notes on its engine, for programs that load several. */
  label?: string;
  /**
   * Called when a worker is stuck in native code, where no thread can be stopped: its requests go on with
   * another worker or fail, and only the end of the process gets rid of it. Default: nothing.
   */
  onStuck?: (reason: string) => void;
  /** For measuring only: takes a share of the requests even where they would be refused. */
  overrule?: OverruleOptions;
  /** Called as loading goes on. */
  progress?: (progress: LoadProgress) => void;
  /**
   * Called before a download waits so many ms for another attempt, or, with 0, for another process that
   * downloads the file.
   */
  onWait?: (reason: string, ms: number) => void;
  /** Stops loading: the promise rejects with the signal's reason, and what was allocated is freed. */
  signal?: AbortSignal;
}

/** How the next tokens of answers are guessed; the first one is the default. */
const SPECULATIONS = ["auto", "off"] as const;

export const KV = {
  prefault: {
    kind: boolean,
    doc: "commit the KV cache's memory while loading, not when tokens need it",
    docFor: { operator: "commit the KV cache's memory while loading" },
    setBy: ["terminal", "operator"],
  },
  hugePages: {
    kind: boolean,
    doc: "ask for huge pages for the KV cache: faster with long contexts, more memory",
    docFor: { operator: "ask for huge pages for the KV cache" },
    setBy: ["terminal", "operator"],
  },
  giveBackBlocks: {
    kind: number(1, Infinity),
    doc: "free runs of at least so many blocks go back to the system",
  },
  overcommit: { kind: boolean, doc: "load even if the memory that is available is too little" },
} as const satisfies OptionTable;

/** Why a draft model is refused where speculation is off: it would only take memory. */
export const DRAFT_UNASKED = "a draft model is never asked where nothing is guessed";

export const LOAD = {
  threads: {
    kind: integer(1, limits.threadsMax),
    doc: "threads; default: the cores this process may use",
    docFor: { operator: "threads of each worker; default: its cores" },
    setBy: ["terminal", "operator"],
    flag: { alias: "t", value: "N" },
    isCallers: true,
  },
  cpus: {
    kind: own<string | readonly number[]>(anyOf(
      'a list such as "0-3,8" or of numbers',
      (value) => typeof value === "string" ? isString : null,
      (value) => typeof value === "object" && value !== null ? isTokens : null,
    )),
    doc: "CPUs to use, such as 0-3,8; default: all that this process may use",
    docFor: { operator: "CPUs to use, such as 0-3,8" },
    setBy: ["terminal", "operator"],
    flag: { value: "LIST", read: parseCpuList },
    isCallers: true,
  },
  workers: {
    kind: integer(1, 1024),
    doc: "engine workers that share them; default: one for each memory node",
    docFor: { operator: "engine workers; default: one for each memory node" },
    setBy: ["terminal", "operator"],
    flag: { value: "N" },
    isCallers: true,
  },
  shareWeights: {
    kind: own<boolean | "all">(oneOf([true, false, "all"])),
    default: true,
    doc: "whether workers share one copy of the weights",
    isCallers: true,
  },
  isolation: {
    kind: words(["worker", "process"]),
    default: "worker",
    doc: "whether engines run in threads of this process, or in processes of their own",
    isCallers: true,
  },
  weights: {
    kind: words(targetNames),
    doc: "quantise the weights while loading, to a format or a mix such as q8_0 or q4_k_m",
    setBy: ["terminal", "operator"],
    flag: { value: "FORMAT" },
  },
  isa: { kind: text(1, 64), doc: "an instruction set level by name; default: the best that this CPU has" },
  contextLength: {
    kind: open(integer(16, 2 ** 24)),
    unit: "tokens",
    doc: "tokens of context; default: the model's",
    docFor: { operator: "longest request, prompt and answer; default: the model's" },
    setBy: ["terminal", "operator"],
    flag: { name: "context", alias: "c", value: "N" },
  },
  kvTokens: {
    kind: open(integer(16, 2 ** 30)),
    unit: "tokens",
    doc: "tokens of KV cache for all requests of a worker",
    setBy: ["operator"],
    flag: { value: "N" },
  },
  kvFormat: {
    kind: words(kvFormatNames),
    default: kvFormatNames[0],
    doc: "format of the KV cache",
    setBy: ["terminal", "operator"],
    flag: { name: "kv", value: kvFormatNames.join("|") },
  },
  kv: { kind: object<KvOptions>(KV), table: KV, doc: "how the KV cache uses memory" },
  sequencesMax: {
    kind: integer(1, 512),
    doc: "most requests computed together by a worker; default 32",
    setBy: ["operator"],
    flag: { value: "N" },
  },
  batchTokensMax: {
    kind: open(integer(1, 4096)),
    unit: "tokens",
    doc: "most tokens in a step; default 512",
    setBy: ["operator"],
    flag: { name: "batchTokens", value: "N" },
  },
  classes: {
    kind: latencyClasses,
    doc: "latency classes instead of interactive and batch",
    setBy: ["operator"],
  },
  ageingMs: {
    kind: number(0, Infinity),
    unit: "ms",
    doc: "the oldest request of a class goes first after so many ms",
  },
  prefixCache: {
    kind: boolean,
    default: true,
    doc: "whether prompts that begin alike share what was computed for them",
  },
  speculation: {
    kind: words(SPECULATIONS),
    default: SPECULATIONS[0],
    doc: "whether the next tokens may be guessed and checked together: answers are the same",
    setBy: ["terminal", "operator"],
    flag: { value: SPECULATIONS.join("|") },
  },
  draft: {
    kind: text(1, 4096),
    doc: "a smaller model with the same tokens that guesses ahead",
    setBy: ["terminal", "operator"],
    flag: { value: "MODEL" },
    isCallers: true,
  },
  prefixStore: {
    kind: object<PrefixStoreOptions>({
      dir: { kind: text(1, 4096), required: true },
      bytesMax: { kind: number(0, Infinity) },
      key: { kind: text(1, 256) },
    }),
    doc: "a folder that keeps what was computed for prompts beyond the KV cache",
  },
  prefixHashKey: {
    kind: text(16, 256),
    doc: "for recording traffic: keyed hashes of the blocks of prompts are told with this key",
  },
  libraryPath: { kind: text(1, 4096), doc: "the kernel library; default: the one that this checkout built" },
  label: {
    kind: text(1, 256),
    doc: "what the model is called in notes on its engine",
    isCallers: true,
  },
  onStuck: {
    kind: own<(reason: string) => void>(isFunction),
    doc: "called when a worker is stuck in native code",
    isCallers: true,
  },
  overrule: {
    kind: object<OverruleOptions>({
      share: { kind: number(0, 1), required: true },
      seed: { kind: open(integer(0, 2 ** 32 - 1)) },
    }),
    doc: "for measuring: takes a share of the requests even where they would be refused",
    isCallers: true,
  },
  progress: {
    kind: own<(progress: LoadProgress) => void>(isFunction),
    doc: "called as loading goes on",
    isCallers: true,
  },
  onWait: {
    kind: own<(reason: string, ms: number) => void>(isFunction),
    doc: "called before a download waits",
    isCallers: true,
  },
  signal: { kind: own<AbortSignal>(isSignal), doc: "stops loading", isCallers: true },
} as const satisfies OptionTable;

true satisfies Agreement<KvOptions, typeof KV>;
true satisfies Agreement<LoadOptions, typeof LOAD>;

export const LOAD_CHECKS = checksOf(LOAD);

/**
 * The options that are for the caller's side alone. Written out, so that what is public does not depend on
 * the table's inferred type.
 */
export type CallersOption =
  | "threads"
  | "cpus"
  | "workers"
  | "shareWeights"
  | "isolation"
  | "draft"
  | "label"
  | "onStuck"
  | "overrule"
  | "progress"
  | "onWait"
  | "signal";

type Marked = {
  [K in keyof typeof LOAD]: (typeof LOAD)[K] extends { readonly isCallers: true } ? K : never;
}[keyof typeof LOAD];

true satisfies ([Marked, CallersOption] extends [CallersOption, Marked] ? true : never);
