/** How long sequences may be and how much KV cache there is: what was asked for, or what the model and the memory allow. @module */

import { BLOCK_TOKENS } from "./batch.ts";
import { limits } from "../ffi/symbols.ts";
import { checkKvFormat, isKvFormat, kvBytesPerToken, type KvFormat, kvFormatNames } from "../gguf/mod.ts";
import { blocksAtOnce } from "../../scheduler/mod.ts";
import { groupLayers, type KvGroups } from "./kv_groups.ts";
import type { KvShape } from "../gguf/describe.ts";
import type { KvLayerShape } from "../layers/shape.ts";
import { cacheLayersOf, stateBytesOf } from "../layers/state_shape.ts";
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
  /** Tokens of sequences that the KV cache holds: whole blocks. */
  kvTokens: number;
  /** Places for tokens in its blocks: as many with one group of layers, more with more. */
  kvSlots: number;
  kvGroups: KvGroups;
  batchTokensMax: number;
  logitsRowsMax: number;
  /** Of one sequence; 0 where no layer keeps any. */
  stateBytes: number;
  /** Blocks whose memory a state takes. */
  stateBlocks: number;
  /** Places for states: as many as there can be if nothing else has memory. */
  stateSlots: number;
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
const KV_USE_DEFAULT: KvUse = { batchTokensMax: 512, logitsRowsMax: LOGITS_ROWS_DEFAULT };

/** Bytes of keys and values for each token. */
export function kvTokenBytes(h: Hyperparameters, format: KvFormat): number {
  return cacheLayersOf(h).reduce((sum, layer) => sum + kvBytesPerToken(keptShape(layer), format), 0);
}

/** What a layer keeps of a token. */
function keptShape({ kvHeads, keyDim, valueDim, valuesInKeys = false }: KvLayerShape): KvShape {
  return { heads: kvHeads, keyLength: keyDim, valueLength: valuesInKeys ? 0 : valueDim };
}

/** Bytes of keys and values in one place of a block: layers of different groups that are alike share it. */
export function kvSlotBytes(h: Hyperparameters, format: KvFormat): number {
  const layers = cacheLayersOf(h);
  const { groupOf } = groupLayers(layers);
  const rows = new Map<string, { counts: Map<number, number>; bytes: number }>();
  layers.forEach((layer, i) => {
    const shape = keptShape(layer);
    const key = JSON.stringify([shape, layer.valueDim]);
    const { counts } = rows.getOrInsertComputed(
      key,
      () => ({ counts: new Map(), bytes: kvBytesPerToken(shape, format) }),
    );
    counts.set(groupOf[i], (counts.get(groupOf[i]) ?? 0) + 1);
  });
  return [...rows.values()].reduce((sum, { counts, bytes }) => sum + Math.max(...counts.values()) * bytes, 0);
}

/** Sizes of the steps and sequences that a KV cache is for. */
interface KvUse {
  readonly batchTokensMax: number;
  /** Sequences that go on at the same time. */
  readonly logitsRowsMax: number;
  /** Blocks whose memory the state of each of them takes. Default: there are no states. */
  readonly stateBlocks?: number;
}

/**
 * Places in blocks for `tokens` tokens of sequences, and as many as take the memory of their states. In a group with a window no
 * sequence needs more at a time than that and a step take.
 */
export function kvSlotsFor(
  groups: KvGroups,
  tokens: number,
  { batchTokensMax, logitsRowsMax, stateBlocks = 0 }: KvUse,
): number {
  const blocks = groups.windows.reduce<number>((sum, window) => {
    const most = logitsRowsMax * blocksAtOnce(window, batchTokensMax, BLOCK_TOKENS);
    return sum + Math.min(Math.ceil(tokens / BLOCK_TOKENS), most);
  }, 0);
  return (blocks + logitsRowsMax * stateBlocks) * BLOCK_TOKENS;
}

/** Blocks whose memory the state of a sequence takes; 0 where no layer keeps any. */
function stateBlocksOf(h: Hyperparameters, format: KvFormat): number {
  return Math.ceil(stateBytesOf(h.layers) / (BLOCK_TOKENS * kvSlotBytes(h, format)));
}

/** Bytes that a KV cache for so many tokens takes, with the states of the sequences that go on at the same time. */
export function kvBytesFor(
  h: Hyperparameters,
  format: KvFormat,
  use: KvUse = KV_USE_DEFAULT,
): (tokens: number) => number {
  const groups = groupLayers(cacheLayersOf(h)), bytes = kvSlotBytes(h, format);
  const states = { ...use, stateBlocks: stateBlocksOf(h, format) };
  return (tokens) => kvSlotsFor(groups, tokens, states) * bytes;
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
  checkKvLayers(h, kvFormat);
  const pick = (name: string, value: number, min: number, max: number) =>
    checkNumber(name, value, { min, max, integer: true });
  const kvGroups = groupLayers(cacheLayersOf(h));
  const use = {
    batchTokensMax: pick(
      "batchTokensMax",
      options.batchTokensMax ?? KV_USE_DEFAULT.batchTokensMax,
      1,
      LOAD.batchTokensMax.kind.max,
    ),
    logitsRowsMax: pick(
      "logitsRowsMax",
      options.logitsRowsMax ?? LOGITS_ROWS_DEFAULT,
      1,
      LOAD.sequencesMax.kind.max,
    ),
  };
  const kvBytes = kvBytesFor(h, kvFormat, use);
  const room = memory === undefined ? undefined : {
    weightBytes: memory.weightBytes,
    kvBytes: (tokens: number) => kvBytes(tokens) * memory.sharers,
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
  const asked = inBlocks(wanted);
  const kvTokensMin = options.kvTokens === undefined ? inBlocks(contextLength) : asked;
  const kvTokens = room === undefined ? asked : fitKvTokens({ ...room, kvTokens: asked, kvTokensMin });
  const stateBlocks = stateBlocksOf(h, kvFormat);
  const kvSlots = kvSlotsFor(kvGroups, kvTokens, { ...use, stateBlocks });
  return {
    stateBytes: stateBytesOf(h.layers),
    stateBlocks,
    stateSlots: stateBlocks === 0
      ? 0
      : Math.min(limits.statesMax, Math.floor(kvSlots / BLOCK_TOKENS / stateBlocks)),
    kvFormat,
    contextLength,
    kvTokens,
    kvSlots,
    kvGroups,
    ...use,
  };
}

/** Throws RangeError where the format does not take a layer's keys and values. */
export function checkKvLayers(h: Hyperparameters, format: KvFormat): void {
  for (const { keyDim, valueDim, valuesInKeys = false } of cacheLayersOf(h)) {
    checkKvFormat(format, { keyLength: keyDim, valueLength: valueDim });
    const longest = Math.max(keyDim, valueDim);
    if (format !== "q8_0" || longest <= limits.scaledDimMax && !valuesInKeys) continue;
    throw new RangeError(
      `KV format ${format} takes heads of up to ${limits.scaledDimMax} elements whose values are kept beside keys, ` +
        `this model's have ${longest}${valuesInKeys ? " in latent vectors" : ""}: choose f16, bf16 or f32`,
    );
  }
}

/** Rounded up to whole blocks. */
export function inBlocks(tokens: number): number {
  return Math.ceil(tokens / BLOCK_TOKENS) * BLOCK_TOKENS;
}
