/**
 * kumi and llama.cpp on the same file in the same run, interleaved A B A B, medians.
 *
 * deno task run bench/peer/speed.ts [--shape llama-1b] [--format q4_k] [--pp 256] [--tg 32] [--repeat 5]
 *
 * llama.cpp (through the npm package node-llama-cpp, under node) gets the same threads, a batch of 512, an f16 KV
 * cache, and is measured with flash attention off and on: the better one counts.
 * @module
 */

import { parseArgs } from "@std/cli";
import { type BenchCase, prepare } from "../../src/cli/bench/cases.ts";
import { caseWork, limitSeconds, measureLimits, modelCost } from "../../src/cli/bench/limits.ts";
import { randomModelFile } from "../../src/cli/bench/random_model_file.ts";
import { processorName } from "../../src/cli/system.ts";
import { renderTable } from "../../src/cli/table.ts";
import { openGguf } from "../../src/gguf/mod.ts";
import { loadModelRunner } from "../../src/model_runner.ts";
import { Peer } from "./peer.ts";

const CONTEXT = 1024;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["shape", "format", "model", "pp", "tg", "repeat", "threads"],
    default: { shape: "llama-1b", format: "q4_k", pp: "256", tg: "32", repeat: "5" },
  });
  const path = args.model ?? await randomModelFile(args.shape!, args.format!);
  using file = await openGguf(path);
  const threads = args.threads === undefined ? undefined : Number(args.threads);
  using runner = await loadModelRunner(file, { contextLength: CONTEXT, kvTokens: CONTEXT, threads });
  await using peer = await Peer.start();
  const limits = measureLimits(runner.kernels);
  const cost = modelCost(file, 0);
  const cases = ([
    { test: "prefill", tokens: Number(args.pp), batch: 1, depth: 0 },
    { test: "decode", tokens: Number(args.tg), batch: 1, depth: 0 },
  ] as const satisfies readonly BenchCase[]).filter(({ tokens }) => tokens > 0);
  const vocab = runner.hyperparameters.vocab;
  const prompts = (count: number) => Array.from({ length: count }, (_, i) => (i * 7919 + 11) % vocab);

  const samples = cases.map(() => ({
    ours: [] as number[],
    peerPlain: [] as number[],
    peerFlash: [] as number[],
  }));
  for (const flash of [false, true]) {
    const { system } = await peer.load({
      file: path,
      threads: runner.kernels.threads,
      context: CONTEXT,
      flash,
    });
    if (!flash) {
      console.log(
        `${path}\n${processorName()}, ${runner.kernels.threads} threads, ${runner.kernels.isa}\n${system}`,
      );
    }
    for (let round = -1; round < Number(args.repeat); round++) {
      for (const [i, bench] of cases.entries()) {
        const ours = prepare(runner, bench).run();
        const theirs = await (bench.test === "prefill"
          ? peer.prefill(prompts(bench.tokens))
          : peer.decode(prompts(bench.tokens)));
        if (round < 0) {
          continue; // the first round warms both
        }
        samples[i].ours.push(ours);
        (flash ? samples[i].peerFlash : samples[i].peerPlain).push(theirs);
      }
    }
  }
  const rows = cases.map((bench, i) => {
    const ours = median(samples[i].ours);
    const theirs = Math.min(median(samples[i].peerPlain), median(samples[i].peerFlash));
    const fraction = limitSeconds(caseWork(cost, bench, runner.batchTokensMax), limits) / ours;
    return [
      `${bench.test} ${bench.tokens}`,
      (bench.tokens / ours).toFixed(1),
      (bench.tokens / theirs).toFixed(1),
      `${(theirs / ours).toFixed(2)}×`,
      `${(fraction * 100).toFixed(0)} %`,
    ];
  });
  console.log(
    `limits in this run: read ${limits.readGBps.toFixed(1)} GB/s, int8 ${
      limits.int8Gmacps.toFixed(0)
    } GMAC/s, ` +
      `f32 ${limits.floatGmacps.toFixed(0)} GMAC/s\n`,
  );
  console.log(renderTable(["test", "kumi tokens/s", "llama.cpp tokens/s", "ratio", "of limit"], rows));
}
