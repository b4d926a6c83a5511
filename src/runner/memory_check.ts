/** What a model takes of this process's memory: one margin and one sum, for loading and for whoever asks before. @module */

import { BLOCK_TOKENS } from "./batch.ts";
import { ModelError } from "../models/error.ts";

const MIB = 2 ** 20;
// Activations and logits of a step, rotary tables, the tokenizer, the worker's heap; large models have larger ones. Measured beside
// weights and KV cache: 71 MB with 136 MiB of weights and 49,152 tokens, 125 MB with 663 MiB and 128,256.
const MARGIN_BYTES = 128 * MIB;
const MARGIN_OF_WEIGHTS = 0.05;
const MARGIN_OF_WEIGHTS_MAX_BYTES = 1024 * MIB;
/** More than any memory holds. */
const BLOCKS_MAX = 2 ** 40;

/** What is taken beside weights and KV cache. */
export function marginBytes(weightBytes: number): number {
  return Math.ceil(MARGIN_BYTES + Math.min(MARGIN_OF_WEIGHTS_MAX_BYTES, MARGIN_OF_WEIGHTS * weightBytes));
}

/** What there is for a KV cache. */
export interface KvRoom {
  /** Bytes of the weights that are not in memory yet. */
  weightBytes: number;
  /** What a KV cache for so many tokens takes: more for more of them. */
  kvBytes: (tokens: number) => number;
  /** What this process may still use. */
  availableBytes: number;
}

/** The tokens that a KV cache can have beside the weights and the margin: whole blocks, 0 where not even the weights fit. */
export function kvRoomTokens({ weightBytes, kvBytes, availableBytes }: KvRoom): number {
  const room = availableBytes - weightBytes - marginBytes(weightBytes);
  let low = 0, high = BLOCKS_MAX;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (kvBytes(middle * BLOCK_TOKENS) <= room) low = middle;
    else high = middle - 1;
  }
  return low * BLOCK_TOKENS;
}

/** What a model needs and what there is. */
export interface MemoryNeed extends KvRoom {
  /** Tokens wanted in the KV cache, and the fewest that will do. */
  kvTokens: number;
  kvTokensMin: number;
}

/**
 * The tokens that the KV cache can have: as many as wanted, or fewer but a whole number of blocks. Throws a ModelError when
 * the fewest do not fit: the system would end the process later, without a word.
 */
export function fitKvTokens(need: MemoryNeed): number {
  const { weightBytes, kvBytes, kvTokens, kvTokensMin, availableBytes } = need;
  const margin = marginBytes(weightBytes);
  const total = (tokens: number) => weightBytes + margin + kvBytes(tokens);
  if (total(kvTokens) <= availableBytes) return kvTokens;
  if (total(kvTokensMin) <= availableBytes) return Math.max(kvTokensMin, kvRoomTokens(need));
  throw new ModelError(
    `The model needs ${mib(total(kvTokensMin))} and this process may use ${mib(availableBytes)}: weights ${
      mib(weightBytes)
    }, KV cache ${mib(kvBytes(kvTokensMin))} for ${kvTokensMin} tokens, margin ${mib(margin)}. ` +
      `Lower contextLength or kvTokens, take a smaller model, or load with kv.overcommit`,
  );
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
