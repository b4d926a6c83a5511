/** What a model will take of the memory that it shares with others. @module */

import { memoryBytes } from "../layers/formats.ts";
import { checkModel } from "../models/check.ts";
import { withoutIgnored } from "../models/compose.ts";
import type { ModelHeader } from "../models/hyperparameters.ts";
import { kvRoomTokens, marginBytes } from "./memory_check.ts";
import { contextMaxOf, inBlocks, kvBytesFor, resolveSizes, type SizeOptions } from "./sizes.ts";

/** Tokens of KV cache of a model that shares memory, unless it is told otherwise. */
const SHARED_KV_TOKENS = 16_384;
const SHARED_KV_TOKENS_MIN = 512;

/** What is set aside for a model, in bytes. */
export interface MemoryNeed {
  readonly weightBytes: number;
  readonly kvBytes: number;
  /** For activations, logits, rotary tables and the tokenizer. */
  readonly marginBytes: number;
  readonly totalBytes: number;
  /** The sizes that it has so; loading takes these. */
  readonly contextLength: number;
  readonly kvTokens: number;
}

/** How it will be loaded. */
export interface NeedOptions extends SizeOptions {
  /** What all models together may take. */
  readonly limitBytes: number;
  /** Engine workers, each with a KV cache; and the copies of the weights among them. */
  readonly workers?: number;
  readonly copies?: number;
  /** Whether the model's own predictor is loaded, if it has one. */
  readonly predicts?: boolean;
}

/**
 * What loading a model takes: where neither context nor KV cache is given, for 16,384 tokens, or as many as the limit has
 * room for. A model may need more than the limit. Throws as checkModel() and resolveSizes() do.
 */
export function memoryNeed(
  file: ModelHeader,
  { limitBytes, workers = 1, copies = 1, predicts, ...asked }: NeedOptions,
): MemoryNeed {
  const model = checkModel(file, undefined, predicts);
  const { hyperparameters: h } = model;
  const weightBytes = copies * withoutIgnored(file.tensors, model).values().reduce(
    (sum, { type, dims }) => sum + memoryBytes(type, dims),
    0,
  );
  const { kvFormat = "f16", contextLength, kvTokens } = asked;
  const sized = contextLength !== undefined || kvTokens !== undefined;
  const check = resolveSizes(h, { ...asked, kvTokens: kvTokens ?? contextLength ?? SHARED_KV_TOKENS_MIN });
  const kvOf = kvBytesFor(h, kvFormat, check);
  const kvBytes = (tokens: number) => workers * kvOf(tokens);
  const room = kvRoomTokens({ weightBytes, kvBytes, availableBytes: limitBytes });
  const roomy = Math.min(SHARED_KV_TOKENS, Math.max(SHARED_KV_TOKENS_MIN, room));
  const tokens = sized ? check.kvTokens : inBlocks(roomy);
  const margin = marginBytes(weightBytes);
  return {
    weightBytes,
    kvBytes: kvBytes(tokens),
    marginBytes: margin,
    totalBytes: weightBytes + kvBytes(tokens) + margin,
    contextLength: sized ? check.contextLength : Math.min(contextMaxOf(h), tokens),
    kvTokens: tokens,
  };
}
