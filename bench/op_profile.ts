/**
 * Where the time of a step goes: op by op for prefill, for decode in batches and at depths; and how much of it
 * is spent outside the kernels, in TypeScript and in the calls between the two.
 *
 * deno task run bench/op_profile.ts [--shape llama-1b] [--format q4_k] [--model FILE] [--kv f16] [--threads N]
 * [--prefill 512] [--depths 0,4096] [--batches 1,2,4,8,16,32] [--steps 20] [--json]
 *
 * Prefill and one sequence's decode are measured after each depth, batches after few tokens. Every native function is
 * wrapped in a stopwatch, here and not in the product. What a step takes beyond the time in native functions
 * is TypeScript, the stopwatch included, so the share is an upper bound; the second table shows about how
 * much of it the stopwatch is. What crossing to native code and back costs is measured by calls that do next
 * to nothing, and added. Medians over steps, with logits and a greedy choice; multiply-adds per second beside
 * the peaks of the same run. Where layers keep a state of each sequence, what that takes stands beside its traffic.
 * @module
 */

import { parseArgs } from "@std/cli";
import { type BenchCase, CaseSeries, kvTokensOf } from "../src/cli/bench/cases.ts";
import { caseWork, type MachineLimits, macsOf, modelCost } from "../src/cli/bench/limits.ts";
import { median } from "../src/cli/bench/measure.ts";
import { meterOf } from "../src/cli/bench/model_meter.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { type GgufFile, isKvFormat, openGguf } from "../src/gguf/mod.ts";
import type { LayerShape } from "../src/layers/shape.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import { crossingMs, NativeStopwatch } from "./support/native_stopwatch.ts";

/** Native functions that multiply by the model's matrices. */
const MATRICES: ReadonlySet<string> = new Set(["matmul", "gate_up", "up_activate", "experts"]);
/** Batches decode after so many tokens of each sequence. */
const BATCH_DEPTH = 63;
/** Steps until V8 has compiled what they run. */
const WARM_UP_DECODE = 5;

interface CaseProfile extends BenchCase {
  readonly stepMs: number;
  /** By native function, without its prefix. */
  readonly opMs: Readonly<Record<string, number>>;
  readonly outsideMs: number;
  readonly calls: number;
  /** 10⁹ multiply-adds per second of the products with matrices, and of attention. */
  readonly matrixGmacps: number;
  readonly attentionGmacps: number;
}

/** Multiply-adds of attention in one step of the case: scores and weighted sums. */
export function attentionMacs(layers: readonly LayerShape[], bench: BenchCase): number {
  let macs = 0;
  for (const { heads, keyDim, valueDim, window = Infinity } of layers) {
    for (let i = 0; i < bench.tokens; i++) {
      macs += Math.min(bench.depth + i + 1, window) * heads * (keyDim + valueDim);
    }
  }
  return macs * bench.batch;
}

/** Runs the case `steps` times. */
function profile({ runner, series, file, watch, steps }: Setting, bench: BenchCase): CaseProfile {
  const step = series.prepare(bench);
  const isDecode = bench.test === "decode";
  const totals: number[] = [], outside: number[] = [];
  const opMs = new Map<string, number[]>();
  let calls = 0;
  for (let i = isDecode ? -WARM_UP_DECODE : -1; i < steps; i++) {
    watch.reset();
    const ms = step.run() * 1000;
    if (i < 0) continue;
    totals.push(ms);
    outside.push(ms - watch.ms);
    for (const [name, value] of watch.msOf) {
      opMs.getOrInsertComputed(name.replace(/^kumi_/, ""), () => []).push(value);
    }
    calls = watch.calls;
  }
  const medians = Object.fromEntries([...opMs].map(([name, values]) => [name, median(values)]));
  const matrixMs = Object.entries(medians).reduce(
    (sum, [name, ms]) => sum + (MATRICES.has(name) ? ms : 0),
    0,
  );
  const work = caseWork(modelCost(file, runner.kvBytesPerToken), bench, runner.batchTokensMax);
  return {
    ...bench,
    stepMs: median(totals),
    opMs: medians,
    outsideMs: median(outside),
    calls,
    matrixGmacps: macsOf(work.macs) / matrixMs / 1e6,
    attentionGmacps: attentionMacs(runner.hyperparameters.layers, bench) / medians.attention / 1e6,
  };
}

interface Setting {
  readonly runner: ModelRunner;
  readonly series: CaseSeries;
  readonly file: GgufFile;
  readonly watch: NativeStopwatch;
  readonly steps: number;
}

/** Ascending depths for one sequence, whose cache is filled on, and then batches. */
function casesOf(prefill: number, depths: readonly number[], batches: readonly number[]): BenchCase[] {
  const deep = depths.toSorted((a, b) => a - b).flatMap((depth): BenchCase[] => [
    { test: "prefill", tokens: prefill, batch: 1, depth },
    { test: "decode", tokens: 1, batch: 1, depth: depth + prefill },
  ]);
  return [
    ...deep,
    ...batches.map((batch): BenchCase => ({ test: "decode", tokens: 1, batch, depth: BATCH_DEPTH })),
  ];
}

function nameOf({ test, tokens, batch, depth }: BenchCase): string {
  return `${test === "prefill" ? `prefill ${tokens}` : `decode ${batch}`} after ${depth}`;
}

/** A row a case, a column an op that takes a hundredth of some step. */
function opTable(profiles: readonly CaseProfile[], { gmacps }: MachineLimits): string {
  const names = new Set(
    profiles.flatMap(({ opMs, stepMs }) => Object.keys(opMs).filter((name) => opMs[name] > stepMs / 100)),
  );
  const share = (value: number, peak: number) => `${(value / peak * 100).toFixed(0)} %`;
  const rows = profiles.map((each) => [
    nameOf(each),
    each.stepMs.toFixed(2),
    ...[...names].map((name) => (each.opMs[name] ?? 0).toFixed(2)),
    each.matrixGmacps.toFixed(0),
    share(each.matrixGmacps, gmacps.int8),
    each.attentionGmacps.toFixed(0),
    share(each.attentionGmacps, gmacps.float),
    share(each.attentionGmacps, gmacps.int8),
  ]);
  const peaks = ["matrices GMAC/s", "of int8", "attention GMAC/s", "of f32", "of int8"];
  return renderTable(["step", "ms", ...names, ...peaks], rows);
}

/** What is outside of the kernels. */
function outsideTable(profiles: readonly CaseProfile[], crossing: number, watching: number): string {
  const rows = profiles.map((each) => {
    const crossings = each.calls * crossing;
    return [
      nameOf(each),
      `${each.calls}`,
      (each.outsideMs * 1000).toFixed(0),
      (each.calls * watching * 1000).toFixed(0),
      (crossings * 1000).toFixed(1),
      `${((each.outsideMs + crossings) / each.stepMs * 100).toFixed(2)} %`,
    ];
  });
  return renderTable(["step", "native calls", "TypeScript µs", "stopwatch µs", "crossing µs", "share"], rows);
}

/** What layers with a state take for it. Each state is read and written once for all of a sequence's tokens. */
function stateTable(profiles: readonly CaseProfile[], stateBytes: number, readGBps: number): string {
  const rows = profiles.map((each) => {
    const ms = each.opMs.delta_rule ?? 0;
    const trafficMs = 2 * stateBytes * each.batch / (readGBps * 1e6);
    const share = `${(ms / each.stepMs * 100).toFixed(1)} %`;
    return [nameOf(each), ms.toFixed(3), share, trafficMs.toFixed(3), (ms / trafficMs).toFixed(2)];
  });
  return renderTable(["step", "delta rule ms", "share", "states' traffic ms", "times that"], rows);
}

const numbers = (text: string) => text === "" ? [] : text.split(",").map(Number);

async function main(): Promise<void> {
  const args = parseArgs(Deno.args, {
    string: ["shape", "format", "model", "kv", "steps", "threads", "prefill", "depths", "batches"],
    boolean: ["json"],
  });
  const kvFormat = args.kv ?? "f16";
  if (!isKvFormat(kvFormat)) {
    throw new RangeError(`--kv is the name of a KV format, current value is ${kvFormat}`);
  }
  const path = args.model ?? await randomModelFile(args.shape ?? "llama-1b", args.format ?? "q4_k");
  const crossing = crossingMs();
  const watch = new NativeStopwatch();
  const watching = watch.costMs();
  watch.install();
  using file = await openGguf(path);
  const cases = casesOf(
    Number(args.prefill ?? 512),
    numbers(args.depths ?? "0,4096"),
    numbers(args.batches ?? "1,2,4,8,16,32"),
  );
  using runner = await loadModelRunner(file, {
    kvFormat,
    threads: args.threads === undefined ? undefined : Number(args.threads),
    contextLength: Math.max(...cases.map(({ depth, tokens }) => depth + tokens)),
    kvTokens: Math.max(...cases.map(kvTokensOf)),
    isa: Deno.env.get("KUMI_ISA"),
  });
  using meter = meterOf(runner, file);
  meter.sample();
  const setting = { runner, series: new CaseSeries(runner), file, watch, steps: Number(args.steps ?? 20) };
  const profiles = cases.map((bench) => profile(setting, bench));
  meter.sample();
  const { isa, threads } = runner.kernels;
  if (args.json) {
    const shared = {
      model: path,
      processor: processorName(),
      isa,
      threads,
      kv: kvFormat,
      limits: meter.limits,
    };
    for (const each of profiles) console.log(JSON.stringify({ ...shared, ...each }));
    return;
  }
  const { gmacps, readGBps } = meter.limits;
  console.log(`${path}, KV ${kvFormat}, ${processorName()}, ${threads} threads, ${isa}`);
  console.log(
    `peaks: int8 ${gmacps.int8.toFixed(0)}, f32 ${gmacps.float.toFixed(0)} GMAC/s, ${
      readGBps.toFixed(1)
    } GB/s\n`,
  );
  console.log(`${opTable(profiles, meter.limits)}\n\n${outsideTable(profiles, crossing, watching)}`);
  if (runner.stateBytes > 0) console.log(`\n${stateTable(profiles, runner.stateBytes, readGBps)}`);
}

if (import.meta.main) await main();
