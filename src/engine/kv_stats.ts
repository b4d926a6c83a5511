import { BLOCK_TOKENS } from "../batch.ts";
import { countRuns, type KvPoolStats } from "./kv_pool.ts";

/** How the KV cache is used at one moment: a plain object, so that it travels as JSON. */
export interface KvStats {
  blockTokens: number;
  /** Address space of all blocks. */
  reservedBytes: number;
  /** Memory behind it, as the system counts its pages (mincore); absent where it does not tell. */
  committedBytes?: number;
  /** Blocks that sequences have or that the prefix cache keeps. */
  allocatedBytes: number;
  /** Tokens that are stored in them. */
  usedBytes: number;
  /** The part of it that only the prefix cache keeps: it gives way when a sequence needs room. */
  cachedBytes: number;
  /** 1 − used ÷ allocated: the last blocks of the sequences. */
  internalFragmentation: number;
  /** 1 − longest free stretch ÷ free blocks. */
  externalFragmentation: number;
  /** What the same sequences would take if each had reserved the longest one. */
  maxLengthReservationBytes: number;
  /** Sequences that have blocks, and runs of adjacent blocks among them all. */
  sequences: number;
  runs: number;
  /** In blocks. */
  blocks: {
    total: number;
    free: number;
    used: number;
    shared: number;
    largestFree: number;
    /** In the stretches that were given back to the system so far. */
    givenBack: number;
    /** Aligned free runs of 2ᵏ blocks. */
    freeRuns: number[];
  };
}

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
