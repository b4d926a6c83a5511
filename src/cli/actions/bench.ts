/** What `kumi bench` does. @module */

import { describe, type GgufFile, weightFormatNames } from "../../gguf/mod.ts";
import { shapeNames } from "../../models/shapes.ts";
import { LOAD } from "../../protocol/options/load.ts";
import { loadModelRunner, type ModelRunner } from "../../runner/model_runner.ts";
import { type BenchCase, CaseSeries, contextOf, kvTokensOf } from "../bench/cases.ts";
import type { MachineLimits } from "../bench/limits.ts";
import { type BenchResult, measureCase, type MeasuredPeer } from "../bench/measure.ts";
import { meterOf } from "../bench/model_meter.ts";
import { Peer } from "../bench/peer/peer.ts";
import {
  chosenPeer,
  INSTALLED_PEERS,
  LLAMA_CPP,
  type PeerMode,
  type PeerProgram,
} from "../bench/peer/programs.ts";
import { RANDOM_FORMAT } from "../bench/random_format.ts";
import { randomModelFile } from "../bench/random_model_file.ts";
import { type Arguments, choiceOption, numberListOption, numberOption, UsageError } from "../command.ts";
import { BENCH_MODEL } from "../commands/bench.ts";
import { counted } from "../counted.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { ProgressLine } from "../progress.ts";
import { loadOptions } from "../sampling_options.ts";
import { processorName } from "../system.ts";
import { renderTable } from "../table.ts";
import { formatFigure } from "../units.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";
import { openModel } from "../../safetensors/open_model.ts";

const COUNT = { min: 1, max: 1 << 20 };
const BATCH_MAX = LOAD.sequencesMax.kind.max;

/** Times prompts and answers of given lengths, and says which fraction of the machine's limit that is. */
export async function runBench(args: Arguments): Promise<number> {
  const [load] = Deno.loadavg();
  const repeat = numberOption(args, "repeat", { min: 1, max: 1000, integer: true })!;
  const cases = benchCases(args);
  const program = peerOption(args);
  if (choiceOption(args, "shape", shapeNames) !== undefined && args.values.has("model")) {
    throw new UsageError("--model and --shape each name what is measured: give one");
  }
  if (choiceOption(args, "format", weightFormatNames) !== undefined && !args.values.has("shape")) {
    throw new UsageError("--format needs --shape: a model's file has its own format");
  }
  const options = loadOptions(args);
  const { kvFormat } = options;
  using interrupt = interruptible();
  const { signal } = interrupt;
  const path = await modelPath(args, signal);
  using file = await openModel(path);
  checkContext(file, cases);
  await using processes = new AsyncDisposableStack();
  const peer = program && await startPeer(program, args, kvFormat, processes);
  using runner = await loadForBench(file, options, cases, signal);
  const systems: string[] = [];
  for (const { process } of peer?.modes ?? []) systems.push(await process.load(path));
  using meter = meterOf(runner, file);
  const json = args.switches.has("json");
  if (!json) printConditions(path, runner, load, program && `${peerTitle(program)}: ${systems[0]}`);
  const { isa, threads } = runner.kernels;
  const shared = { processor: processorName(), isa, threads, kv: kvFormat, loadAverage: load };
  const results: BenchResult[] = [];
  const series = new CaseSeries(runner);
  const setting = { runner, series, file, meter, kv: kvFormat, repeat, peer, cases, signal };
  try {
    for (const bench of cases) {
      const result = await measureCase(setting, bench);
      results.push(result);
      if (json) printLine(JSON.stringify({ model: path, ...shared, ...result, limits: meter.limits }));
    }
  } finally { // an interrupt, or a case that the peer cannot measure, leaves what was measured before
    if (!json && results.length > 0) printLine(`${resultTable(results)}\n\n${limitsLine(meter.limits)}`);
  }
  return 0;
}

/** A process for each of the peer's modes, owned by `processes`. */
async function startPeer(
  program: PeerProgram,
  args: Arguments,
  kv: string,
  processes: AsyncDisposableStack,
): Promise<MeasuredPeer> {
  const [variant, checkout] = [args.values.get("peer-cpu"), args.values.get("peer-path")];
  const modes: { mode: PeerMode; process: Peer }[] = [];
  for (const mode of program.modes(kv)) {
    modes.push({ mode, process: processes.use(await Peer.start({ program, variant, checkout })) });
  }
  return { name: program.name, modes };
}

/** The program that is measured too. */
function peerOption(args: Arguments): PeerProgram | undefined {
  const [name, folder] = ["peer", "peer-path"].map((option) => args.values.get(option));
  if (name !== undefined && folder !== undefined) {
    throw new UsageError("--peer and --peer-path each name what is measured: give one");
  }
  const program = chosenPeer(name, folder);
  if (name !== undefined && program === undefined) {
    const names = INSTALLED_PEERS.map((each) => each.name).join(", ");
    throw new UsageError(`--peer takes ${names}, current value is ${name}`);
  }
  if (program !== LLAMA_CPP && args.values.has("peer-cpu")) {
    throw new UsageError(`--peer-cpu needs --peer ${LLAMA_CPP.name}`);
  }
  return program;
}

function peerTitle({ name, package: installed }: PeerProgram): string {
  return installed === undefined ? name : `${name} of ${installed}`;
}

async function modelPath(args: Arguments, signal: AbortSignal): Promise<string> {
  const shape = args.values.get("shape");
  if (shape === undefined) return await resolveModelFile(args.values.get("model") ?? BENCH_MODEL);
  return await randomModelFile(shape, args.values.get("format") ?? RANDOM_FORMAT, signal);
}

function benchCases(args: Arguments): BenchCase[] {
  const list = (name: string, min: number, max = COUNT.max) => numberListOption(args, name, { min, max })!;
  const depths = list("depth", 0);
  const prefill = list("pp", 0).filter((tokens) => tokens > 0).flatMap((tokens) =>
    depths.map((depth) => ({ test: "prefill", tokens, batch: 1, depth } as const))
  );
  const decode = list("tg", 0).filter((tokens) => tokens > 0).flatMap((tokens) =>
    list("batch", 1, BATCH_MAX).flatMap((batch) =>
      depths.map((depth) => ({ test: "decode", tokens, batch, depth } as const))
    )
  );
  const cases = [...prefill, ...decode];
  if (cases.length === 0) throw new UsageError("--pp 0 and --tg 0 leave nothing to measure");
  return cases;
}

/** Throws a UsageError where a case is longer than the model's context. */
export function checkContext(file: GgufFile, cases: readonly BenchCase[]): void {
  const { contextMax } = describe(file);
  const long = cases.find((bench) => contextMax !== null && contextOf(bench) > contextMax);
  if (long === undefined) return;
  const { test, tokens, depth } = long;
  const length = `--${test === "prefill" ? "pp" : "tg"} ${tokens}`;
  throw new UsageError(
    `${
      depth > 0 ? `--depth ${depth} and ${length} are` : `${length} is`
    } more than this model's context of ${contextMax} tokens`,
  );
}

async function loadForBench(
  file: GgufFile,
  options: ReturnType<typeof loadOptions>,
  cases: readonly BenchCase[],
  signal: AbortSignal,
): Promise<ModelRunner> {
  using bar = new ProgressLine("loading");
  return await loadModelRunner(file, {
    ...options,
    isa: Deno.env.get("KUMI_ISA"),
    contextLength: Math.max(16, ...cases.map(contextOf)),
    kvTokens: Math.max(16, ...cases.map(kvTokensOf)),
    logitsRowsMax: Math.max(1, ...cases.map(({ batch }) => batch)),
    batchTokensMax: Math.max(512, ...cases.map(({ batch }) => batch)),
    progress: (done, total) => bar.update(done, total),
    signal,
  });
}

/** Processes that wanted to run meanwhile, above which the figures say little. */
const BUSY_LOAD = 0.5;

function printConditions(
  path: string,
  runner: ModelRunner,
  load: number,
  peer?: string,
): void {
  const { isa, threads } = runner.kernels;
  printLine(`${oneLine(path)}\n${processorName()}, ${counted(threads, "thread")}, ${isa}`);
  if (load > BUSY_LOAD) {
    printLine(
      `the machine was busy before (load average ${load.toFixed(1)}): figures are low, ratios crooked`,
    );
  }
  if (peer !== undefined) printLine(peer);
  printLine("");
}

function limitsLine({ readGBpsByThreads, gmacps }: MachineLimits): string {
  const reads = Object.entries(readGBpsByThreads).map(([n, value]) => `${formatFigure(value)} (${n})`);
  const peaks = Object.entries({ int8: gmacps.int8, bf16: gmacps.bf16, f32: gmacps.float })
    .map(([name, value]) => `${name} ${formatFigure(value)} GMAC/s`);
  return `limits: read ${reads.join(", ")} GB/s (threads), ${peaks.join(", ")}`;
}

function resultTable(results: readonly BenchResult[]): string {
  const peer = results.find(({ peer }) => peer !== undefined)?.peer;
  const header = ["test", "tokens", "batch", "depth", "tokens/s", "GB/s", "GMAC/s", "of limit"];
  if (peer !== undefined) header.push(`${peer} tokens/s`, "ratio");
  const rows = results.map((result) => {
    const { test, tokens, batch, depth, peerTokensPerSecond, ratio } = result;
    const cells = [test, `${tokens}`, `${batch}`, `${depth}`, formatFigure(result.tokensPerSecond)];
    cells.push(formatFigure(result.gigabytesPerSecond), formatFigure(result.gmacPerSecond));
    cells.push(`${(result.fractionOfLimit * 100).toFixed(0)} %`);
    if (peer !== undefined) cells.push(formatFigure(peerTokensPerSecond!), `${ratio!.toFixed(2)}×`);
    return cells;
  });
  return renderTable(header, rows);
}
