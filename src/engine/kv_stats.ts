import { BLOCK_TOKENS } from "../runner/batch.ts";
import type { KvStats } from "../protocol/stats.ts";
import { countRuns, type KvPoolStats } from "./kv_pool.ts";

/** What a sequence has of the cache. */
export interface KvHolder {
  /** Tokens that are stored. */
  readonly first: number;
  readonly blocks: readonly number[];
}

/** Puts the figures together. `holders`: the sequences that have blocks; only full blocks are shared between them. */
export function kvStats(
  pool: KvPoolStats,
  holders: readonly KvHolder[],
  sizes: { contextLength: number; kvBytesPerToken: number; cachedBlocks: number },
): KvStats {
  const { contextLength, kvBytesPerToken, cachedBlocks } = sizes;
  const blockBytes = BLOCK_TOKENS * kvBytesPerToken;
  const unusedTokens = holders.reduce(
    (sum, { blocks, first }) => sum + blocks.length * BLOCK_TOKENS - first,
    0,
  );
  const allocatedBytes = pool.used * blockBytes;
  const usedBytes = allocatedBytes - unusedTokens * kvBytesPerToken;
  const { blocks: total, free, used, shared, largestFree, freeRuns, givenBackBlocks } = pool;
  return {
    blockTokens: BLOCK_TOKENS,
    reservedBytes: total * blockBytes,
    committedBytes: pool.committedBytes,
    allocatedBytes,
    usedBytes,
    cachedBytes: cachedBlocks * blockBytes,
    internalFragmentation: allocatedBytes === 0 ? 0 : 1 - usedBytes / allocatedBytes,
    externalFragmentation: pool.externalFragmentation,
    maxLengthReservationBytes: holders.length * contextLength * kvBytesPerToken,
    sequences: holders.length,
    runs: holders.reduce((sum, { blocks }) => sum + countRuns(blocks), 0),
    blocks: { total, free, used, shared, largestFree, givenBack: givenBackBlocks, freeRuns },
  };
}
