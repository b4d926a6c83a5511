/** Latent attention with the sizes of DeepSeek V2 Lite: in its absorbed form, and what the expanded one would take. @module */

import { f32At, HeadProductsCall, LatentSplitCall } from "../src/ffi/context.ts";
import { formatTypeId } from "../src/gguf/mod.ts";
import { BatchBuffer } from "../src/runner/batch.ts";
import { benchOp } from "./support/bench_op.ts";
import { filledArena } from "./support/filled_arena.ts";
import { randomFloats } from "./support/random.ts";
import { sequencesOf } from "./support/sequences.ts";
import { sized } from "./support/settings.ts";

const HEADS = sized(16, 2), RANK = sized(512, 32), TURNED = sized(64, 8), PLAIN = sized(128, 16);
/** Tokens computed at once of each sequence, after `depth` others. */
const CASES = sized(
  [
    { batch: 1, depth: 4096, count: 1 },
    { batch: 8, depth: 1024, count: 1 },
    { batch: 1, depth: 0, count: 512 },
    { batch: 1, depth: 3584, count: 512 },
  ],
  [{ batch: 2, depth: 20, count: 1 }, { batch: 1, depth: 0, count: 33 }],
);
const FORMS = {
  absorbed: { kvHeads: 1, keyDim: TURNED + RANK, valueDim: RANK, valuesInKeys: true },
  expanded: { kvHeads: HEADS, keyDim: PLAIN + TURNED, valueDim: PLAIN },
};

for (const { batch, depth, count } of CASES) {
  for (const [form, layer] of Object.entries(FORMS)) {
    const { keyDim, valueDim } = layer, n = batch * count;
    benchOp({
      name:
        `attention ${batch} × ${count} token(s) after ${depth}, ${HEADS} heads of latent vectors, ${form}`,
      work: n * HEADS * (depth + (count + 1) / 2) * (keyDim + valueDim),
      tolerance: 1e-5,
      setup(bed) {
        const slices = sequencesOf(batch, depth, count), arena = filledArena(bed, slices, "f16", layer);
        const q = bed.floats(n * HEADS * keyDim, 9), y = bed.room(n * HEADS * valueDim * 4);
        bed.kernels.setBatch(arena, new BatchBuffer(n).encode(slices).descriptor);
        return {
          run: () => bed.kernels.attention(arena, 0, q, HEADS, 1 / Math.sqrt(PLAIN + TURNED), 0, f32At(y)),
          result: () => bed.readFloats(y, n * HEADS * valueDim),
        };
      },
    });
  }
}

for (const n of sized([1, 512], [1, 5])) {
  const width = TURNED + RANK, own = PLAIN + TURNED;
  benchOp({
    name: `latentSplit ${n} token(s)`,
    work: n * width,
    tolerance: 1e-5,
    setup(bed) {
      const keys = bed.room(n * width * 4), queries = bed.floats(n * HEADS * width, 3);
      const call = new LatentSplitCall({
        kv: bed.floats(n * width, 4),
        norm: bed.kernels.createVector(randomFloats(RANK, 5)),
        eps: 1e-6,
        keys,
        q: bed.floats(n * HEADS * own, 6),
        queries,
        heads: HEADS,
        latent: RANK,
        turned: TURNED,
        plain: PLAIN,
      });
      return { run: () => bed.kernels.latentSplit(call, n), result: () => bed.readFloats(keys, n * width) };
    },
  });
  benchOp({
    name: `headProducts ${n} token(s), ${HEADS} matrices [${RANK}, ${PLAIN}] in f32`,
    work: n * HEADS * RANK * PLAIN,
    tolerance: 1e-4,
    setup(bed) {
      const y = bed.floats(n * HEADS * width, 7), rows = HEADS * RANK;
      const weights = bed.kernels.createWeights(formatTypeId("f32"), rows, PLAIN);
      weights.load(0, rows, new Uint8Array(randomFloats(rows * PLAIN, 8).buffer));
      const call = new HeadProductsCall({
        x: { region: bed.floats(n * HEADS * own, 10), width: own, first: 0 },
        heads: HEADS,
        weights,
        columns: f32At(bed.room(n * HEADS * PLAIN * 4)),
        y: { region: y, width, first: TURNED },
      });
      return {
        run: () => bed.kernels.headProducts(call, n),
        result: () => bed.readFloats(y, n * HEADS * width),
      };
    },
  });
}
