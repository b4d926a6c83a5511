/** `kumi bench`: prefill and decode speed beside the machine's own limits. @module */

import { type GgufFile, openGguf, shapeNames } from "../../gguf/mod.ts";
import { loadModelRunner, type ModelRunner } from "../../model_runner.ts";
import { type BenchCase, contextOf, kvTokensOf, prepare } from "../bench/cases.ts";
import { caseWork, limitSeconds, type MachineLimits, measureLimits, modelCost } from "../bench/limits.ts";
import { randomModelFile } from "../bench/random_model_file.ts";
import { type Arguments, type Command, numberListOption, numberOption } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { ProgressLine } from "../progress.ts";
import { KV_OPTION, loadOptions } from "../sampling_options.ts";
import { processorName } from "../system.ts";
import { renderTable } from "../table.ts";
import { formatFigure } from "../units.ts";

const COUNT = { min: 1, max: 1 << 20 };

/** Times prompts and answers of given lengths, and says which fraction of the machine's limit that is. */
export const bench: Command = {
  name: "bench",
  summary: "measure prefill and decode speed beside the machine's limits",
  usage: "bench [--model FILE | --shape NAME --format FORMAT] [--pp N] [--tg N] [--batch N,…] [--depth N,…]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file to measure", default: "demo" },
    { name: "shape", value: "NAME", help: `random weights instead: ${shapeNames.join(", ")}` },
    { name: "format", value: "FORMAT", help: "weight format of the random model", default: "q4_k" },
    { name: "pp", value: "N,…", help: "prompt lengths of the prefill test; 0 leaves it out", default: "512" },
    { name: "tg", value: "N,…", help: "steps of the decode test; 0 leaves it out", default: "64" },
    { name: "batch", value: "N,…", help: "sequences decoded together", default: "1" },
    { name: "depth", value: "N,…", help: "tokens already in each sequence's cache", default: "0" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each test; the median counts", default: "5" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "limit-mib", value: "N", help: "memory read to measure the bandwidth, in MiB", default: "1024" },
    KV_OPTION,
    { name: "json", help: "one JSON object a line instead of the table" },
  ],
  details:
    "The limit of a test is the longer of reading its bytes at the read bandwidth and doing its multiply-adds\n" +
    "at the peak of its arithmetic, both measured in the same run on the same threads.",
  run: runBench,
};

async function runBench(args: Arguments): Promise<number> {
  const repeat = numberOption(args, "repeat", { min: 1, max: 1000, integer: true })!;
  const cases = benchCases(args);
  using interrupt = interruptible();
  const shape = args.values.get("shape");
  const path = shape === undefined
    ? await resolveModelFile(args.values.get("model")!)
    : await randomModelFile(shape, args.values.get("format")!, interrupt.signal);
  using file = await openGguf(path);
  using runner = await loadForBench(file, args, cases, interrupt.signal);
  const json = args.switches.has("json");
  if (!json) {
    console.log(`${path}\n${processorName()}, ${runner.kernels.threads} threads, ${runner.kernels.isa}`);
  }
  const limitMib = numberOption(args, "limit-mib", { min: 16, max: 65536, integer: true });
  const limits = measureLimits(runner.kernels, limitMib);
  if (!json) {
    console.log(
      `limits: read ${formatFigure(limits.readGBps)} GB/s, int8 ${formatFigure(limits.int8Gmacps)} GMAC/s, ` +
        `f32 ${formatFigure(limits.floatGmacps)} GMAC/s\n`,
    );
  }
  const results: BenchResult[] = [];
  for (const bench of cases) {
    const result = await measureCase(runner, file, bench, repeat, limits, interrupt.signal);
    results.push(result);
    if (json) console.log(JSON.stringify({ model: path, ...result, limits }));
  }
  if (!json) console.log(resultTable(results));
  return 0;
}

function benchCases(args: Arguments): BenchCase[] {
  const list = (name: string, min: number) => numberListOption(args, name, { min, max: COUNT.max })!;
  const depths = list("depth", 0);
  const prefill = list("pp", 0).filter((tokens) => tokens > 0).flatMap((tokens) =>
    depths.map((depth) => ({ test: "prefill", tokens, batch: 1, depth } as const))
  );
  const decode = list("tg", 0).filter((tokens) => tokens > 0).flatMap((tokens) =>
    list("batch", 1).flatMap((batch) =>
      depths.map((depth) => ({ test: "decode", tokens, batch, depth } as const))
    )
  );
  return [...prefill, ...decode];
}

async function loadForBench(
  file: GgufFile,
  args: Arguments,
  cases: readonly BenchCase[],
  signal: AbortSignal,
): Promise<ModelRunner> {
  using bar = new ProgressLine("loading");
  return await loadModelRunner(file, {
    ...loadOptions(args),
    isa: Deno.env.get("KUMI_ISA"),
    contextLength: Math.max(16, ...cases.map(contextOf)),
    kvTokens: Math.max(16, ...cases.map(kvTokensOf)),
    logitsRowsMax: Math.max(1, ...cases.map(({ batch }) => batch)),
    batchTokensMax: Math.max(512, ...cases.map(({ batch }) => batch)),
    progress: (done, total) => bar.update(done, total),
    signal,
  });
}

/** One line of the result: what was run, how fast, and how near to the limit. */
interface BenchResult extends BenchCase {
  readonly tokensPerSecond: number;
  readonly fractionOfLimit: number;
  readonly gigabytesPerSecond: number;
  readonly gmacPerSecond: number;
  /** Of all runs, in the order they ran. */
  readonly seconds: readonly number[];
}

async function measureCase(
  runner: ModelRunner,
  file: GgufFile,
  bench: BenchCase,
  repeat: number,
  limits: MachineLimits,
  signal: AbortSignal,
): Promise<BenchResult> {
  const cost = modelCost(file, runner.kvBytesPerToken);
  const work = caseWork(cost, bench, runner.batchTokensMax);
  const prepared = prepare(runner, bench);
  prepared.run(); // the first run warms caches and clocks
  const seconds: number[] = [];
  for (let i = 0; i < repeat; i++) {
    await new Promise((resolve) => setTimeout(resolve)); // lets Ctrl-C through
    signal.throwIfAborted();
    seconds.push(prepared.run());
  }
  const median = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)];
  return {
    ...bench,
    tokensPerSecond: bench.tokens * bench.batch / median,
    fractionOfLimit: limitSeconds(work, limits) / median,
    gigabytesPerSecond: work.bytes / median / 1e9,
    gmacPerSecond: (work.int8Macs + work.floatMacs) / median / 1e9,
    seconds,
  };
}

function resultTable(results: readonly BenchResult[]): string {
  const rows = results.map((result) => [
    result.test,
    `${result.tokens}`,
    `${result.batch}`,
    `${result.depth}`,
    formatFigure(result.tokensPerSecond),
    formatFigure(result.gigabytesPerSecond),
    formatFigure(result.gmacPerSecond),
    `${(result.fractionOfLimit * 100).toFixed(0)} %`,
  ]);
  return renderTable(["test", "tokens", "batch", "depth", "tokens/s", "GB/s", "GMAC/s", "of limit"], rows);
}
