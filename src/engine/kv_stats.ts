import type { StateFigures } from "../../scheduler/mod.ts";
import type { KvStats, StateStats } from "../protocol/stats.ts";
import { BLOCK_TOKENS, type KvTable } from "../runner/batch.ts";
import type { KvPoolStats } from "./kv_pool.ts";

/** What a sequence has of the cache. */
export interface KvHolder {
  /** Tokens that are stored. */
  readonly first: number;
  /** By group of layers. */
  readonly tables: readonly (KvTable & { readonly end: number })[];
}

/** What the figures are made of beside the pool's. */
export interface KvSizes {
  readonly contextLength: number;
  /** Of all layers. */
  readonly kvBytesPerToken: number;
  /** Of a block's layers: as above with one group of layers, less with more. */
  readonly kvBytesPerSlot: number;
  /** Blocks that only the prefix cache has. */
  readonly cachedBlocks: number;
  /** Where layers keep a state of each sequence. */
  readonly states?: StateFigures & { readonly stateBytes: number };
}

/**
 * Puts the figures together. `holders`: the sequences that have blocks; only full blocks are shared between
 * them.
 */
export function kvStats(pool: KvPoolStats, holders: readonly KvHolder[], sizes: KvSizes): KvStats {
  const { contextLength, kvBytesPerToken, kvBytesPerSlot, cachedBlocks } = sizes;
  const blockBytes = BLOCK_TOKENS * kvBytesPerSlot;
  let unusedSlots = 0, runs = 0;
  for (const { tables, first } of holders) {
    for (const table of tables) {
      unusedSlots += table.end * BLOCK_TOKENS - first;
      runs += table.runs.length;
    }
  }
  const allocatedBytes = (pool.used + pool.lent) * blockBytes;
  const usedBytes = allocatedBytes - unusedSlots * kvBytesPerSlot;
  const { blocks: total, free, used, shared, largestFree, freeRuns, givenBackBlocks, lent } = pool;
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
    runs,
    blocks: {
      ...{ total, free: free - lent, used, shared, largestFree, freeRuns, lent },
      givenBack: givenBackBlocks,
    },
    ...sizes.states === undefined ? {} : { states: stateStats(sizes.states, blockBytes) },
  };
}

function stateStats(
  { stateBytes, slotBlocks, used, snapshots, kept, hits, lostTokens }: NonNullable<KvSizes["states"]>,
  blockBytes: number,
): StateStats {
  return { stateBytes, usedBytes: used * slotBlocks * blockBytes, used, snapshots, kept, hits, lostTokens };
}
