import type { BlockRun } from "./block_table.ts";

/**
 * Hands out blocks of the KV cache and counts who refers to each. Running out is a value and not an
 * exception: the scheduler decides who has to wait.
 */
export interface BlockAllocator {
  /** All blocks that there are; they are numbered from 0. */
  readonly blocks: number;
  readonly freeBlocks: number;
  /**
   * Runs of `count` blocks in the order in which a sequence fills them, with one reference each, or null and
   * nothing is taken. Those that follow the block `after` come first, so that a sequence lies in few runs; a
   * run that has to be begun leaves `room` free blocks behind it where it can.
   */
  tryAllocate(count: number, after?: number, room?: number): readonly BlockRun[] | null;
  /** One more reference to each of these blocks, which are in use. */
  share(runs: readonly BlockRun[]): void;
  /** One reference fewer to each; a block without references is free. */
  release(runs: readonly BlockRun[]): void;
  /** How many refer to a block; 0 for a free one. */
  references(block: number): number;
  /**
   * Takes the memory of so many free blocks for something else, without saying which; false, and nothing is
   * taken, when fewer are free.
   */
  lend(blocks: number): boolean;
  /** Gives such memory back. */
  restore(blocks: number): void;
}

/** 128 tokens of an answer, with blocks of 16. */
const ROOM_BLOCKS_MAX = 8;

/**
 * Blocks that a new run should have free behind it: a quarter of what will be left free for each list of
 * blocks that grows. Less costs runs at 90 % occupancy, more at 99 %: bench/kv_replay.ts counts them.
 */
export function roomBlocks(leftFreeBlocks: number, lists: number): number {
  return Math.max(0, Math.min(ROOM_BLOCKS_MAX, Math.floor(leftFreeBlocks / (4 * lists))));
}
