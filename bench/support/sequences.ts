/** Sequences in a KV cache, each in blocks of its own. @module */

import { BLOCK_TOKENS, type SequenceSlice } from "../../src/runner/batch.ts";

/** `batch` slices of `count` tokens each after `depth` tokens; sequence s has the s-th run of blocks. */
export function sequencesOf(batch: number, depth: number, count: number): SequenceSlice[] {
  const blocks = Math.ceil((depth + count) / BLOCK_TOKENS);
  return Array.from({ length: batch }, (_, s) => ({
    tokens: new Uint32Array(depth + count),
    first: depth,
    count,
    tables: [{ start: 0, runs: [{ first: s * blocks, length: blocks }] }],
  }));
}
