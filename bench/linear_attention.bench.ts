/** Linear attention and short convolutions, with the sizes of Qwen 3.5 4B. @module */

import { DeltaRuleCall, f32At, ShortConvCall } from "../src/ffi/context.ts";
import { formatTypeId } from "../src/gguf/mod.ts";
import { BatchBuffer } from "../src/runner/batch.ts";
import { benchOp } from "./support/bench_op.ts";
import { randomFloats } from "./support/random.ts";
import { sequencesOf } from "./support/sequences.ts";
import { sized } from "./support/settings.ts";
import type { TestBed } from "./support/test_bed.ts";

const HEADS = sized(32, 4), KEY_HEADS = sized(16, 2), DIM = sized(128, 16), TAPS = 4;
const CHANNELS = 2 * KEY_HEADS * DIM + HEADS * DIM;
/** Sequences, and tokens of each in a step. */
const STEPS: readonly [number, number][] = sized([[1, 1], [8, 1], [32, 1], [1, 64], [1, 512]], [[1, 1], [
  2,
  3,
]]);

/** States of so many bytes for the sequences of a step that begin at position 0. */
function statesOf({ kernels }: TestBed, sequences: number, count: number, bytes: number) {
  const layers = [{ kvHeads: 1, keyDim: 8, valueDim: 8 }];
  const slices = sequencesOf(sequences, 0, count), buffer = new BatchBuffer(sequences * count);
  const arena = kernels.createArena({
    layers,
    slots: sequences * Math.ceil(count / 16) * 16,
    format: formatTypeId("f32"),
  });
  const states = kernels.createStates(sequences, bytes);
  kernels.setBatch(arena, buffer.encode(slices).descriptor);
  kernels.setStates(states, buffer.encodeStates(slices));
  return { states, offset: 0 };
}

for (const [sequences, count] of STEPS) {
  const n = sequences * count;
  benchOp({
    name: `deltaRule ${sequences} × ${count} tokens, ${HEADS} heads of ${DIM}`,
    work: n * HEADS * DIM * DIM * 4,
    tolerance: 1e-5,
    setup(bed) {
      const { kernels } = bed, y = bed.room(n * HEADS * DIM * 4);
      const x = bed.floats(n * CHANNELS, 3), gates = [bed.floats(n * HEADS, 4), bed.floats(n * HEADS, 5)];
      const call = new DeltaRuleCall({
        state: statesOf(bed, sequences, count, HEADS * DIM * DIM * 4),
        x,
        row: CHANNELS,
        queriesAt: 0,
        keysAt: KEY_HEADS * DIM,
        valuesAt: 2 * KEY_HEADS * DIM,
        alpha: { region: gates[0], at: 0 },
        beta: { region: gates[1], at: 0 },
        gateRow: HEADS,
        gateGroup: HEADS,
        // A head forgets nearly all, so that keys of any length may be written.
        decay: kernels.createVector(new Float32Array(HEADS).fill(-16)),
        dt: kernels.createVector(randomFloats(HEADS, 6)),
        heads: HEADS,
        keyHeads: KEY_HEADS,
        keyDim: DIM,
        valueDim: DIM,
        sharing: "strided",
        rule: "delta",
        y,
      });
      return { run: () => kernels.deltaRule(call), result: () => bed.readFloats(y, n * HEADS * DIM) };
    },
  });
  benchOp({
    name: `shortConv ${sequences} × ${count} tokens, ${CHANNELS} channels`,
    work: n * CHANNELS * TAPS,
    tolerance: 1e-6,
    setup(bed) {
      const { kernels } = bed, y = bed.room(n * CHANNELS * 4);
      const call = new ShortConvCall({
        state: statesOf(bed, sequences, count, (TAPS - 1) * CHANNELS * 4),
        x: bed.floats(n * CHANNELS, 7),
        stride: CHANNELS,
        inputsAt: 0,
        weights: kernels.createVector(randomFloats(CHANNELS * TAPS, 8)),
        channels: CHANNELS,
        taps: TAPS,
        silu: true,
        norm: { head: DIM, queryHeads: KEY_HEADS, keyHeads: KEY_HEADS, scale: 1, eps: 1e-6 },
        y: f32At(y),
      });
      return { run: () => kernels.shortConv(call), result: () => bed.readFloats(y, n * CHANNELS) };
    },
  });
  benchOp({
    name: `gatedNorm [${n}, ${HEADS * DIM}] to f32`,
    work: n * HEADS * DIM,
    tolerance: 1e-6,
    setup(bed) {
      const k = HEADS * DIM, x = bed.floats(n * k, 9), gate = bed.floats(n * k, 10), y = bed.room(n * k * 4);
      const weight = bed.kernels.createVector(randomFloats(DIM, 11));
      return {
        run: () => bed.kernels.gatedNorm(x, gate, weight, k, DIM, n, 1e-6, "normThenGate", f32At(y)),
        result: () => bed.readFloats(y, n * k),
      };
    },
  });
}
