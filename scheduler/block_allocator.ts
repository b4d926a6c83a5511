/** Blocks with neighbouring addresses: `first` to `first + count − 1`. */
export interface Run {
  readonly first: number;
  readonly count: number;
}

/**
 * Hands out blocks of the KV cache and counts who refers to each. Running out is a value and not an exception: the
 * scheduler decides who has to wait.
 */
export interface BlockAllocator {
  /** All blocks that there are; they are numbered from 0. */
  readonly blocks: number;
  readonly freeBlocks: number;
  /** `count` blocks with one reference each, as few long runs as there are; or null and nothing is taken. */
  tryAllocate(count: number): readonly Run[] | null;
  /** One block with one reference: the one behind `last` if it is free, so that runs stay long, or any; or null. */
  tryGrow(last: number): number | null;
  /** One more reference to each of these blocks, which are in use. */
  share(blocks: readonly number[]): void;
  /** One reference fewer to each; a block without references is free. */
  release(blocks: readonly number[]): void;
  /** How many refer to a block; 0 for a free one. */
  references(block: number): number;
}

/** The blocks of some runs, one by one. */
export function blocksOf(runs: readonly Run[]): number[] {
  const blocks: number[] = [];
  for (const { first, count } of runs) for (let i = 0; i < count; i++) blocks.push(first + i);
  return blocks;
}
