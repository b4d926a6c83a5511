/** SIMD off, AVX2, AVX-512, tiles: the same model file on the same threads, prefill and decode by themselves. @module */

import { type BenchCase, contextOf, kvTokensOf, prepare } from "../../src/cli/bench/cases.ts";
import { openModel } from "../../src/safetensors/open_model.ts";
import { loadModelRunner, type ModelRunner } from "../../src/runner/model_runner.ts";
import type { ClaimResult } from "./result.ts";

/** A way to compute: a level of a library. */
export interface Level {
  readonly name: string;
  readonly isa?: string;
  readonly libraryPath?: string;
}

/** Prompts and answers, short and long, one sequence and several. */
const CASES: readonly { readonly load: string; readonly bench: BenchCase }[] = [
  { load: "prompt of 64", bench: { test: "prefill", tokens: 64, batch: 1, depth: 0 } },
  { load: "answer after 64", bench: { test: "decode", tokens: 8, batch: 1, depth: 64 } },
  { load: "16 answers after 64", bench: { test: "decode", tokens: 4, batch: 16, depth: 64 } },
  { load: "prompt of 1,024", bench: { test: "prefill", tokens: 1024, batch: 1, depth: 0 } },
  { load: "answer after 1,024", bench: { test: "decode", tokens: 8, batch: 1, depth: 1024 } },
];

/** Runs a case until this much time is over: fast levels need many runs for a steady figure. */
const CASE_SECONDS = 0.5;

/** Tokens a second by level and case; levels take turns within each round. */
export async function measureLevels(
  levels: readonly Level[],
  { path, model, rounds, threads, about }: {
    readonly path: string;
    readonly model: string;
    readonly rounds: number;
    readonly threads: number | undefined;
    readonly about: Pick<ClaimResult, "processor" | "date">;
  },
): Promise<ClaimResult[]> {
  using file = await openModel(path);
  using stack = new DisposableStack();
  const runners: ModelRunner[] = [];
  for (const { isa, libraryPath } of levels) {
    runners.push(stack.use(
      await loadModelRunner(file, {
        isa,
        libraryPath,
        threads,
        contextLength: Math.max(...CASES.map(({ bench }) => contextOf(bench))),
        kvTokens: Math.max(...CASES.map(({ bench }) => kvTokensOf(bench))),
        logitsRowsMax: Math.max(...CASES.map(({ bench }) => bench.batch)),
      }),
    ));
  }
  const results: ClaimResult[] = [];
  for (const { load, bench } of CASES) {
    const values: number[][] = levels.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, runner] of runners.entries()) {
        values[i].push(speed(runner, bench));
        // Lets Ctrl-C through.
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    results.push({
      pillar: "instruction set",
      model,
      load,
      unit: "tokens/s",
      conditions: levels.map(({ name }, i) => ({ name, values: values[i] })),
      ...about,
    });
  }
  return results;
}

function speed(runner: ModelRunner, bench: BenchCase): number {
  const prepared = prepare(runner, bench);
  let seconds = 0, runs = 0;
  for (; seconds < CASE_SECONDS; runs++) seconds += prepared.run();
  return runs * bench.tokens * bench.batch / seconds;
}
