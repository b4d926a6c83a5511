/** RMSNorm, LayerNorm, quantisation of activations, and RoPE with the append to the KV cache. @module */

import { f32At } from "../src/ffi/context.ts";
import { activationForms } from "../src/ffi/symbols.ts";
import { BatchBuffer } from "../src/runner/batch.ts";
import { formatTypeId, type KvFormat } from "../src/gguf/mod.ts";
import { benchOp } from "./support/bench_op.ts";
import { randomFloats } from "./support/random.ts";
import { sized } from "./support/settings.ts";
import { sequencesOf } from "./support/sequences.ts";

const K = sized(2048, 256);
const TOKENS = sized([1, 4, 16, 64, 512], [1, 5]);
const HEADS = sized(32, 4), KV_HEADS = sized(8, 2), HEAD_DIM = 64;
const KV_FORMATS: readonly KvFormat[] = ["f16", "bf16", "f32", "q8_0"];

for (const n of TOKENS) {
  benchOp({
    name: `rmsNorm [${n}, ${K}] to f32`,
    work: n * K,
    tolerance: 1e-6,
    setup(bed) {
      const x = bed.floats(n * K), y = bed.room(n * K * 4);
      const weight = bed.kernels.createVector(randomFloats(K, 5));
      return {
        run: () => bed.kernels.rmsNorm(x, weight, n, 1e-5, f32At(y)),
        result: () => bed.readFloats(y, n * K),
      };
    },
  });
  benchOp({
    name: `layerNorm [${n}, ${K}] to f32`,
    work: n * K,
    tolerance: 1e-6,
    setup(bed) {
      const x = bed.floats(n * K), y = bed.room(n * K * 4);
      const weight = bed.kernels.createVector(randomFloats(K, 5));
      const bias = bed.kernels.createVector(randomFloats(K, 6));
      return {
        run: () => bed.kernels.layerNorm(x, weight, bias, K, n, 1e-5, f32At(y)),
        result: () => bed.readFloats(y, n * K),
      };
    },
  });
  for (
    const [forms, name] of [[activationForms.per32, "int8 per 32"], [
      activationForms.per256,
      "int8 per 256",
    ]] as const
  ) {
    benchOp({
      name: `quantizeActivations [${n}, ${K}] to ${name}`,
      work: n * K * 2,
      tolerance: 0,
      setup(bed) {
        const bytes = bed.kernels.activationBytes(forms, n, K);
        const x = bed.floats(n * K), y = { region: bed.room(bytes), forms };
        return {
          run: () => bed.kernels.quantizeActivations(x, K, n, y),
          result: () => bed.readBytes(y.region, bytes),
        };
      },
    });
  }
  for (const format of KV_FORMATS) {
    benchOp({
      name: `ropeAppend ${n} tokens, ${HEADS}/${KV_HEADS} heads of ${HEAD_DIM}, KV ${format}`,
      work: n * (HEADS + KV_HEADS) * HEAD_DIM * 2,
      tolerance: 1e-6,
      setup(bed) {
        const slots = Math.ceil(n / 16) * 16;
        const arena = bed.kernels.createArena({
          layers: [{ kvHeads: KV_HEADS, keyDim: HEAD_DIM, valueDim: HEAD_DIM }],
          slots,
          format: formatTypeId(format),
        });
        const rope = bed.kernels.createRope({ rotatedDims: HEAD_DIM, maxPositions: slots, base: 500000 });
        const q = bed.floats(n * HEADS * HEAD_DIM);
        const k = bed.floats(n * KV_HEADS * HEAD_DIM, 7), v = bed.floats(n * KV_HEADS * HEAD_DIM, 8);
        const { descriptor } = new BatchBuffer(n).encode(sequencesOf(1, 0, n));
        bed.kernels.setBatch(arena, descriptor);
        const run = () =>
          bed.kernels.ropeAppend(rope, arena, 0, q, k, v, HEADS, undefined, undefined, "interleaved", 1e-5);
        return { run, result: () => bed.readFloats(q, n * HEADS * HEAD_DIM) };
      },
    });
  }
}
