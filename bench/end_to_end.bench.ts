/**
 * Prefill, decode and batched decode of a whole model with random weights: KUMI_BENCH_SHAPE (llama-1b) in
 * KUMI_BENCH_FORMAT (q4_k), on all threads. `deno task kumi bench` does the same beside the machine's limits.
 * @module
 */

import { type BenchCase, contextOf, kvTokensOf, prepare, type PreparedCase } from "../src/cli/bench/cases.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { sized } from "./support/settings.ts";

const SHAPE = Deno.env.get("KUMI_BENCH_SHAPE") ?? sized("llama-1b", "llama-tiny");
const FORMAT = Deno.env.get("KUMI_BENCH_FORMAT") ?? "q4_k";
const RUNS = sized(5, 1);

const CASES: readonly BenchCase[] = sized<BenchCase[]>(
  [
    { test: "prefill", tokens: 128, batch: 1, depth: 0 },
    { test: "prefill", tokens: 512, batch: 1, depth: 0 },
    ...[0, 512].flatMap((depth) =>
      [1, 4, 16].map((batch) => ({ test: "decode", tokens: 8, batch, depth }) as const)
    ),
  ],
  [
    { test: "prefill", tokens: 20, batch: 1, depth: 0 },
    { test: "decode", tokens: 2, batch: 3, depth: 17 },
  ],
);

using file = await openGguf(await randomModelFile(SHAPE, FORMAT));
const runner = await loadModelRunner(file, {
  contextLength: Math.max(...CASES.map(contextOf)),
  kvTokens: Math.max(...CASES.map(kvTokensOf)),
});

let current: { bench: BenchCase; prepared: PreparedCase } | undefined;

for (const bench of CASES) {
  const { test, tokens, batch, depth } = bench;
  Deno.bench({
    name: `${tokens} tokens${batch > 1 ? ` of each of ${batch} sequences` : ""} after ${depth}`,
    group: `${test}, ${SHAPE} ${FORMAT}, ${runner.kernels.threads} thread(s)`,
    baseline: bench === CASES.find((other) => other.test === test),
    n: RUNS,
    warmup: sized(1, 0),
    fn(context) {
      if (current?.bench !== bench) current = { bench, prepared: prepare(runner, bench) };
      context.start();
      current.prepared.run();
      context.end();
    },
  });
}
