/** Attention over KV caches of each format: decode, batched decode, prefill. @module */

import { BatchBuffer, BLOCK_TOKENS, type SequenceSlice } from "../src/runner/batch.ts";
import { type Arena, f32At, type Rope } from "../src/ffi/context.ts";
import { formatTypeId, type KvFormat } from "../src/gguf/mod.ts";
import { benchOp } from "./support/bench_op.ts";
import { sequencesOf } from "./support/sequences.ts";
import { sized } from "./support/settings.ts";
import type { TestBed } from "./support/test_bed.ts";

const HEADS = sized(32, 4), KV_HEADS = sized(8, 2), HEAD_DIM = 64;
const KV_FORMATS: readonly KvFormat[] = ["f16", "bf16", "f32", "q8_0"];
/** Tokens computed at once of each sequence, after `depth` others. */
const CASES = sized(
  [
    { batch: 1, depth: 512, count: 1 },
    { batch: 1, depth: 4096, count: 1 },
    { batch: 16, depth: 512, count: 1 },
    { batch: 1, depth: 0, count: 512 },
  ],
  [{ batch: 2, depth: 20, count: 1 }, { batch: 1, depth: 0, count: 33 }],
);
const FILL_TOKENS = 512;

for (const format of KV_FORMATS) {
  for (const { batch, depth, count } of CASES) {
    const pairs = batch * HEADS * count * (depth + (count + 1) / 2);
    benchOp({
      name:
        `attention ${batch} × ${count} token(s) after ${depth}, ${HEADS}/${KV_HEADS} heads of ${HEAD_DIM}, KV ${format}`,
      work: pairs * HEAD_DIM * 2,
      // Products of integers: the reference rounds queries, too, but no weights of values.
      tolerance: format === "q8_0" ? 1e-3 : 1e-5,
      setup(bed) {
        const slices = sequencesOf(batch, depth, count);
        const arena = filledArena(bed, slices, format);
        const size = batch * count * HEADS * HEAD_DIM;
        const q = bed.floats(size, 9), y = bed.room(size * 4);
        const { descriptor } = new BatchBuffer(batch * count).encode(slices);
        bed.kernels.setBatch(arena, descriptor);
        return {
          run: () => bed.kernels.attention(arena, 0, q, HEADS, 1 / Math.sqrt(HEAD_DIM), 0, f32At(y)),
          result: () => bed.readFloats(y, size),
        };
      },
    });
  }
}

/** A cache that holds all positions of the slices. */
function filledArena(bed: TestBed, slices: readonly SequenceSlice[], format: KvFormat): Arena {
  const { tables: [{ runs }], first, count } = slices[0];
  const positions = runs[0].length * BLOCK_TOKENS;
  const arena = bed.kernels.createArena({
    layers: [{ kvHeads: KV_HEADS, keyDim: HEAD_DIM, valueDim: HEAD_DIM }],
    slots: positions * slices.length,
    format: formatTypeId(format),
  });
  const rope = bed.kernels.createRope({ rotatedDims: HEAD_DIM, maxPositions: positions, base: 500000 });
  for (const slice of slices) appendAll(bed, rope, arena, slice, first + count);
  return arena;
}

function appendAll(bed: TestBed, rope: Rope, arena: Arena, slice: SequenceSlice, end: number): void {
  const buffer = new BatchBuffer(FILL_TOKENS);
  const q = fill(bed, HEADS), k = fill(bed, KV_HEADS), v = fill(bed, KV_HEADS);
  for (let first = 0; first < end; first += FILL_TOKENS) {
    const count = Math.min(FILL_TOKENS, end - first);
    bed.kernels.setBatch(arena, buffer.encode([{ ...slice, first, count }]).descriptor);
    bed.kernels.ropeAppend(rope, arena, 0, q, k, v, HEADS, undefined, undefined, "interleaved", 1e-5);
  }
}

const filled = new WeakMap<TestBed, Map<number, number>>();

/** Random heads for the fill, made once for each test bed. */
function fill(bed: TestBed, heads: number): number {
  const regions = filled.get(bed) ?? new Map<number, number>();
  filled.set(bed, regions);
  const region = regions.get(heads) ?? bed.floats(FILL_TOKENS * heads * HEAD_DIM, heads);
  regions.set(heads, region);
  return region;
}
