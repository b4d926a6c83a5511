/** Choice of the next token. @module */

import { SampleBatch } from "../src/runner/sample_batch.ts";
import type { SamplingOptions } from "../src/protocol/options/sampling.ts";
import { resolveSampling } from "../src/protocol/sampling.ts";
import { benchOp } from "./support/bench_op.ts";
import { sized } from "./support/settings.ts";

const VOCAB = sized(128256, 512);
const ROWS = sized([1, 16], [2]);
const SETTINGS: Readonly<Record<string, SamplingOptions>> = {
  greedy: { temperature: 0 },
  "temperature 0.8, top-k 40, top-p 0.95": { temperature: 0.8, topK: 40, topP: 0.95, seed: 7 },
};

for (const [name, options] of Object.entries(SETTINGS)) {
  for (const rows of ROWS) {
    benchOp({
      name: `sample ${name}, ${rows} row(s) of ${VOCAB}`,
      // The reference sorts all of a row.
      work: rows * VOCAB * 100,
      tolerance: 0,
      setup(bed) {
        const logits = bed.floats(rows * VOCAB, 11);
        const batch = new SampleBatch(rows);
        const request = { tokens: new Uint32Array(16), params: resolveSampling(options, VOCAB) };
        const { params, data, out } = batch.encode(Array.from({ length: rows }, () => request));
        return {
          run: () => bed.kernels.sample(logits, VOCAB, rows, params, data, out),
          result: () => batch.decode(rows).map(({ id }) => id),
        };
      },
    });
  }
}
