/** Products with weights of every format: projections, and gate and up with SwiGLU. @module */

import { type FormatName, formatNames } from "../src/gguf/mod.ts";
import { benchOp } from "./support/bench_op.ts";
import { sized } from "./support/settings.ts";

const HIDDEN = sized(2048, 256), FEED_FORWARD = sized(8192, 512);
/** 1 is decode, 4 and 16 are decode of batches, 64 and 512 prefill. */
const COLUMNS = sized([1, 4, 16, 64, 512], [1, 5]);
/** The references take seconds for more. */
const GATE_UP_COLUMNS = sized([1, 16], [3]);

for (const format of formatNames) {
  for (const columns of COLUMNS) benchMatmul(format, HIDDEN, HIDDEN, columns);
  for (const columns of GATE_UP_COLUMNS) benchGateUp(format, columns);
}

function benchMatmul(format: FormatName, rows: number, k: number, columns: number): void {
  benchOp({
    name: `matmul ${format} [${rows}, ${k}] × ${columns} column(s)`,
    work: rows * k * columns,
    tolerance: 0,
    setup(bed) {
      const weights = bed.weights(format, rows, k);
      const x = bed.activations(format, columns, k);
      const y = bed.room(columns * rows * 4);
      return {
        run: () => bed.kernels.matmul(x, columns, false, weights, undefined, y),
        result: () => bed.readFloats(y, columns * rows),
      };
    },
  });
}

function benchGateUp(format: FormatName, columns: number): void {
  benchOp({
    name: `gateUp ${format} 2 × [${FEED_FORWARD}, ${HIDDEN}] × ${columns} column(s)`,
    work: 2 * FEED_FORWARD * HIDDEN * columns,
    tolerance: 0,
    setup(bed) {
      const [gate, up] = [0, 1].map(() => bed.weights(format, FEED_FORWARD, HIDDEN));
      const x = bed.activations(format, columns, HIDDEN);
      const [scratchGate, scratchUp] = [0, 1].map(() => bed.room(columns * FEED_FORWARD * 4));
      const y = bed.activationRoom(format, columns, FEED_FORWARD);
      return {
        run: () =>
          bed.kernels.gateUp(x, columns, gate, undefined, up, undefined, scratchGate, scratchUp, "silu", y),
        // What SwiGLU makes of the two products is rounded to int8: compare the products.
        result: () => bed.readFloats(scratchUp, columns * FEED_FORWARD),
      };
    },
  });
}
