/**
 * Which share of a step each op takes: of prefill, and of decode with several numbers of sequences.
 *
 * deno task run bench/op_shares.ts [--shape qwen3.5-4b] [--format q4_k] [--threads N] [--steps 20] [--prompt 512]
 *
 * Every native function is wrapped in a stopwatch, here and not in the product; what a step takes beside them is TypeScript and the
 * stopwatches. Where layers keep states of sequences, their traffic is compared with what memory reads.
 * @module
 */

import { parseArgs } from "@std/cli";
import { type BenchCase, kvTokensOf, prepare } from "../src/cli/bench/cases.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { readBandwidth } from "../src/cli/read_bandwidth.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import type { KernelSymbols } from "../src/ffi/library.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import { sized } from "./support/settings.ts";
import { type NativeFunction, wrapLibraries } from "./support/wrap_library.ts";

/** Milliseconds by function since the last reset. */
const spent = new Map<string, number>();

function timed(symbols: KernelSymbols): KernelSymbols {
  return Object.fromEntries(
    Object.entries(symbols).map(([name, call]) => {
      const native = call as NativeFunction;
      return [name, (...args: unknown[]) => {
        const started = performance.now();
        const status = native(...args);
        spent.set(name, (spent.get(name) ?? 0) + performance.now() - started);
        return status;
      }];
    }),
  ) as unknown as KernelSymbols;
}

/** Tokens in each sequence's cache before a step of decode. */
const DEPTH = sized(64, 4);

function casesOf(prompt: number): BenchCase[] {
  return [
    { test: "prefill", tokens: prompt, batch: 1, depth: 0 },
    ...sized([1, 8, 32], [1, 3]).map((batch): BenchCase => ({
      test: "decode",
      tokens: 1,
      batch,
      depth: DEPTH,
    })),
  ];
}

/** A line for each function that takes at least half a hundredth of a step: name, ms, share. */
function shares(
  runner: ModelRunner,
  bench: BenchCase,
  steps: number,
): { stepMs: number; ops: [string, number][] } {
  const step = prepare(runner, bench);
  step.run();
  spent.clear();
  let total = 0;
  for (let i = 0; i < steps; i++) total += step.run() * 1000;
  const ops = [...spent].map(([name, ms]): [string, number] => [name.replace(/^kumi_/, ""), ms / steps]);
  return { stepMs: total / steps, ops: ops.toSorted(([, a], [, b]) => b - a) };
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["shape", "format", "threads", "steps", "prompt"],
    default: {
      shape: sized("qwen3.5-4b", "qwen35-tiny"),
      format: sized("q4_k", "q8_0"),
      steps: sized("20", "1"),
      prompt: sized("512", "8"),
    },
  });
  const path = await randomModelFile(args.shape!, args.format!);
  wrapLibraries(timed);
  const cases = casesOf(Number(args.prompt));
  using file = await openGguf(path);
  using runner = await loadModelRunner(file, {
    threads: args.threads === undefined ? undefined : Number(args.threads),
    contextLength: Math.max(...cases.map(({ depth, tokens }) => depth + tokens)),
    kvTokens: Math.max(...cases.map(kvTokensOf)),
  });
  const { threads, isa } = runner.kernels;
  const readGBps = readBandwidth(isa);
  console.log(
    `${path}, ${processorName()}, ${threads} threads, ${isa}, reads ${readGBps.toFixed(1)} GB/s, ` +
      `${(runner.stateBytes / 2 ** 20).toFixed(1)} MiB of state a sequence`,
  );
  for (const bench of cases) {
    const { stepMs, ops } = shares(runner, bench, bench.test === "prefill" ? 3 : Number(args.steps));
    console.log(`\n${bench.test}, ${bench.tokens} tokens × ${bench.batch}: ${stepMs.toFixed(2)} ms`);
    const rows = ops.filter(([, ms]) => ms >= stepMs / 200).map(([name, ms]) => [
      name,
      ms.toFixed(3),
      `${(ms / stepMs * 100).toFixed(1)} %`,
    ]);
    console.log(renderTable(["op", "ms", "share"], rows));
    // Each state is read and written once for all of a sequence's tokens.
    const trafficMs = 2 * runner.stateBytes * bench.batch / (readGBps * 1e6);
    const ruleMs = ops.find(([name]) => name === "delta_rule")?.[1];
    if (ruleMs !== undefined && bench.test === "decode") {
      console.log(
        `states' traffic at that bandwidth: ${trafficMs.toFixed(3)} ms, delta_rule takes ${
          (ruleMs / trafficMs).toFixed(2)
        } × it`,
      );
    }
  }
}
