/** KV caches full of random numbers. @module */

import { BatchBuffer, BLOCK_TOKENS, type SequenceSlice } from "../../src/runner/batch.ts";
import type { Arena, ArenaLayer, Rope } from "../../src/ffi/context.ts";
import { formatTypeId, type KvFormat } from "../../src/gguf/mod.ts";
import type { TestBed } from "./test_bed.ts";

const FILL_TOKENS = 512;

/** A cache of one such layer that holds all positions of the slices. */
export function filledArena(
  bed: TestBed,
  slices: readonly SequenceSlice[],
  format: KvFormat,
  layer: ArenaLayer,
): Arena {
  const { tables: [{ runs }], first, count } = slices[0];
  const positions = runs[0].length * BLOCK_TOKENS;
  const arena = bed.kernels.createArena({
    layers: [layer],
    slots: positions * slices.length,
    format: formatTypeId(format),
  });
  const rope = bed.kernels.createRope({
    rotatedDims: Math.min(64, layer.keyDim),
    maxPositions: positions,
    base: 500000,
  });
  for (const slice of slices) appendAll(bed, rope, arena, layer, slice, first + count);
  return arena;
}

function appendAll(
  bed: TestBed,
  rope: Rope,
  arena: Arena,
  { kvHeads, keyDim, valueDim }: ArenaLayer,
  slice: SequenceSlice,
  end: number,
): void {
  const buffer = new BatchBuffer(FILL_TOKENS);
  const k = fill(bed, "k", kvHeads * keyDim), v = fill(bed, "v", kvHeads * valueDim);
  const q = fill(bed, "q", kvHeads * keyDim);
  for (let first = 0; first < end; first += FILL_TOKENS) {
    const count = Math.min(FILL_TOKENS, end - first);
    bed.kernels.setBatch(arena, buffer.encode([{ ...slice, first, count }]).descriptor);
    bed.kernels.ropeAppend(rope, arena, 0, q, k, v, kvHeads, undefined, undefined, "interleaved", 1e-5);
  }
}

const filled = new WeakMap<TestBed, Map<string, number>>();

/** Random numbers for the fill, made once for each test bed. */
function fill(bed: TestBed, what: string, width: number): number {
  const regions = filled.get(bed) ?? new Map<string, number>();
  filled.set(bed, regions);
  const region = regions.get(what) ?? bed.floats(FILL_TOKENS * width, width);
  regions.set(what, region);
  return region;
}
