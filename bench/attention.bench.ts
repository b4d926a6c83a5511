/** Attention over KV caches of each format: decode, batched decode, prefill. @module */

import { BatchBuffer } from "../src/runner/batch.ts";
import { f32At } from "../src/ffi/context.ts";
import type { KvFormat } from "../src/gguf/mod.ts";
import { benchOp } from "./support/bench_op.ts";
import { filledArena } from "./support/filled_arena.ts";
import { sequencesOf } from "./support/sequences.ts";
import { sized } from "./support/settings.ts";

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
const LAYER = { kvHeads: KV_HEADS, keyDim: HEAD_DIM, valueDim: HEAD_DIM };

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
        const arena = filledArena(bed, slices, format, LAYER);
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
