/** How long sequences may be and how much KV cache there is: what was asked for, or what the model and the memory allow. @module */

import { BLOCK_TOKENS } from "./batch.ts";
import { limits } from "../ffi/symbols.ts";
import { checkKvFormat, isKvFormat, kvBytesPerToken, type KvFormat, kvFormatNames } from "../gguf/mod.ts";
import { fitKvTokens, kvRoomTokens } from "./memory_check.ts";
import { LOAD } from "../protocol/options/load.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";
import { checkNumber } from "../protocol/arguments.ts";

/** What may be asked for; all optional. The options of a runner say what each means. */
export interface SizeOptions {
  readonly contextLength?: number;
  readonly kvTokens?: number;
  readonly kvFormat?: KvFormat;
  readonly batchTokensMax?: number;
  readonly logitsRowsMax?: number;
}

export interface RunnerSizes {
  kvFormat: KvFormat;
  contextLength: number;
  /** Whole blocks. */
  kvTokens: number;
  batchTokensMax: number;
  logitsRowsMax: number;
}

/** The memory that sizes have to fit into. */
export interface MemoryLeft {
  readonly availableBytes: number;
  /** Bytes of weights that are still to be read. */
  readonly weightBytes: number;
  /** So many runners with a KV cache each share it. */
  readonly sharers: number;
}

/** Sequences of a step that want logits at most, unless more are asked for. */
export const LOGITS_ROWS_DEFAULT = 32;
/** By default a KV cache has room for so many tokens, or for one sequence where the context is longer. */
const KV_DEFAULT = 16_384;
/** A default context is not lowered below this: then the memory is too small for the model. */
const CONTEXT_MIN = 512;

/** Bytes of keys and values for each token. */
export function kvTokenBytes(h: Hyperparameters, format: KvFormat): number {
  return h.layers.reduce((sum, { kvHeads, keyDim, valueDim }) => {
    return sum + kvBytesPerToken({ heads: kvHeads, keyLength: keyDim, valueLength: valueDim }, format);
  }, 0);
}

/** The longest sequence that a model can be loaded for. */
export function contextMaxOf(h: Hyperparameters): number {
  return Math.min(h.contextLength, limits.ropePositionsMax);
}

/**
 * The context is the model's own, unless another one is asked for or the KV cache could not hold a sequence of that length.
 * `memory` undefined: nobody knows, or asks. Throws RangeError for options, ModelError where the memory does not do.
 */
export function resolveSizes(h: Hyperparameters, options: SizeOptions, memory?: MemoryLeft): RunnerSizes {
  const { kvFormat = "f16" } = options;
  if (!isKvFormat(kvFormat)) {
    throw new RangeError(
      `Option "kvFormat" must be one of ${kvFormatNames.join(", ")}, current value is ${kvFormat}`,
    );
  }
  for (const { keyDim, valueDim } of h.layers) {
    checkKvFormat(kvFormat, { keyLength: keyDim, valueLength: valueDim });
  }
  const pick = (name: string, value: number, min: number, max: number) =>
    checkNumber(name, value, { min, max, integer: true });
  const room = memory === undefined ? undefined : {
    weightBytes: memory.weightBytes,
    kvBytesPerToken: kvTokenBytes(h, kvFormat) * memory.sharers,
    availableBytes: memory.availableBytes,
  };
  const roomTokens = room === undefined ? Infinity : kvRoomTokens(room);
  const contextMax = contextMaxOf(h);
  const contextLength = options.contextLength === undefined
    ? Math.min(contextMax, options.kvTokens ?? Math.max(CONTEXT_MIN, roomTokens))
    : pick("contextLength", options.contextLength, 1, contextMax);
  const wanted = pick(
    "kvTokens",
    options.kvTokens ?? Math.max(contextLength, KV_DEFAULT),
    options.contextLength ?? 1,
    LOAD.kvTokens.kind.max,
  );
  const kvTokens = inBlocks(wanted);
  const kvTokensMin = options.kvTokens === undefined ? inBlocks(contextLength) : kvTokens;
  return {
    kvFormat,
    contextLength,
    kvTokens: room === undefined ? kvTokens : fitKvTokens({ ...room, kvTokens, kvTokensMin }),
    batchTokensMax: pick("batchTokensMax", options.batchTokensMax ?? 512, 1, LOAD.batchTokensMax.kind.max),
    logitsRowsMax: pick(
      "logitsRowsMax",
      options.logitsRowsMax ?? LOGITS_ROWS_DEFAULT,
      1,
      LOAD.sequencesMax.kind.max,
    ),
  };
}

/** Rounded up to whole blocks. */
export function inBlocks(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS) * BLOCK_TOKENS;
}
