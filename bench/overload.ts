/**
 * A server under more load than it can bear: what it still does in time, how fast it refuses the rest, and
 * whether urgent requests keep their objectives. First the rate that it bears is measured with as many
 * requests under way as it takes; then loads of multiples of it are sent, Poisson, whether or not earlier
 * requests have ended.
 *
 * deno task run bench/overload.ts [--shape smollm-135m] [--percent 50,80,100,200,500,1000] [--seconds 20]
 * @module
 */

import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberListOption, numberOption } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { type Arrival, type ClassShare, poissonArrivals } from "../src/loadtest/arrivals.ts";
import { type LoadOptions, sendLoad } from "../src/loadtest/generator.ts";
import { PromptMaker } from "../src/loadtest/prompts.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import type { RequestRecord } from "../src/loadtest/send.ts";
import { isGood, type Objectives } from "../src/loadtest/summary.ts";
import { baseUrlOf, calibrate, firstModel, type Target } from "../src/loadtest/target.ts";
import { runScript } from "./support/script.ts";
import { startServerProcess } from "./support/server_process.ts";

const COMMAND: Command = {
  name: "bench/overload.ts",
  summary: "goodput, refusals and urgent requests under multiples of the load that a server bears",
  usage: "[--shape NAME --format FORMAT] [--percent N,…] [--seconds S] [--slo-ttft MS] [--slo-itl MS]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "smollm-135m" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q8_0" },
    { name: "percent", value: "N,…", help: "of the rate it bears", default: "50,80,100,200,500,1000" },
    { name: "seconds", value: "S", help: "length of each load", default: "20" },
    { name: "slo-ttft", value: "MS", help: "objective of urgent requests", default: "2000" },
    { name: "slo-itl", value: "MS", help: "objective of urgent requests", default: "150" },
    { name: "seed", value: "N", help: "of the arrivals", default: "1" },
  ],
  run: runOverload,
};

/** Half of the requests are urgent ones. */
const SHARES: readonly ClassShare[] = [
  { name: "interactive", share: 0.5, promptTokens: 64, maxTokens: 32 },
  { name: "batch", share: 0.5, promptTokens: 128, maxTokens: 32 },
];
/** So many at the same time are more than run, and fewer than are refused. */
const IN_FLIGHT = 64;
/** Longest wait for a request: those that were taken end. */
const TIMEOUT_MS = 300_000;

interface Bench {
  readonly load: Omit<LoadOptions, "signal">;
  readonly seed: number;
  readonly seconds: number;
  readonly objectives: Objectives;
}

async function runOverload(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 1, max: 1e6 })!;
  const percents = numberListOption(args, "percent", { min: 1, max: 100_000 })!;
  const path = await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  const objectives: Objectives = { ttftMs: number("slo-ttft"), itlMs: number("slo-itl"), itlStat: "mean" };
  const config = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(config, JSON.stringify({ classes: classesOf(objectives) }));
  const server = await startServerProcess([
    "--model",
    path,
    "--context",
    "2048",
    "--kv-tokens",
    "32768",
    "--config",
    config,
  ]);
  try {
    const baseUrl = baseUrlOf(server.url);
    const target: Target = {
      ...{ baseUrl, api: "completions", sendsClass: true, ignoreEnd: true },
      model: await firstModel(baseUrl),
    };
    const prompts = new PromptMaker(await calibrate(target, 1), { nonce: 2 });
    const load = { target, prompts, inFlightMax: 100_000, timeoutMs: TIMEOUT_MS };
    const bench = { load, objectives, seconds: number("seconds"), seed: number("seed") };
    const perSecond = await capacity(bench);
    console.log(`it bears ${perSecond.toFixed(1)} requests a second, with ${IN_FLIGHT} under way`);
    await report(bench, perSecond, percents);
  } finally {
    await server.stop();
    await Deno.remove(config);
  }
  return 0;
}

function classesOf({ ttftMs, itlMs }: Objectives) {
  return [
    {
      ...{ name: "interactive", priority: 10, maxBatch: 32, maxWaitMs: 0, preemptible: false },
      ...{ ttftSloMs: ttftMs, itlSloMs: itlMs, queueLimit: { requests: 64, tokens: 65_536 } },
    },
    {
      ...{ name: "batch", priority: 0, maxBatch: 32, maxWaitMs: 200, preemptible: true },
      queueLimit: { requests: 64, tokens: 65_536 },
    },
  ];
}

/** Requests a second that end, with {@linkcode IN_FLIGHT} under way all the time. */
async function capacity({ load, seconds, seed }: Bench): Promise<number> {
  const due = poissonArrivals(SHARES, { perSecond: 1000, seconds: 100, seed });
  const { signal } = new AbortController();
  let ended = 0;
  const startedAt = performance.now();
  const isOver = () => performance.now() - startedAt > seconds * 1000;
  await Promise.all(Array.from({ length: IN_FLIGHT }, async (_, lane) => {
    for (let i = lane; !isOver() && i < due.length; i += IN_FLIGHT) {
      const [record] = await sendLoad([{ ...due[i], atMs: 0 }], { ...load, signal });
      if (record?.outcome === "ok") ended++;
    }
  }));
  return ended * 1000 / (performance.now() - startedAt);
}

async function report(bench: Bench, perSecond: number, percents: readonly number[]): Promise<void> {
  const rows: { percent: number; figures: Figures }[] = [];
  for (const percent of percents) {
    const { seconds, seed } = bench;
    const arrivals = poissonArrivals(SHARES, { perSecond: percent / 100 * perSecond, seconds, seed });
    rows.push({ percent, figures: await measure(bench, arrivals) });
  }
  const peak = Math.max(...rows.map(({ figures }) => figures.goodPerSecond));
  console.log(renderTable(
    [
      ...["load", "requests", "good/s", "of the peak", "refused", "in ms p50", "p99", "max"],
      ...["urgent taken", "kept both", "TTFT p99 ms", "ITL p99 ms", "failed"],
    ],
    rows.map(({ percent, figures }) => [
      `${percent} %`,
      `${figures.requests}`,
      figures.goodPerSecond.toFixed(2),
      `${(100 * figures.goodPerSecond / peak).toFixed(0)} %`,
      `${figures.refusalsMs.length}`,
      ...[0.5, 0.99, 1].map((q) =>
        figures.refusalsMs.length === 0 ? "" : quantile(figures.refusalsMs, q).toFixed(1)
      ),
      `${figures.urgent}`,
      `${(100 * figures.urgentGood / Math.max(1, figures.urgent)).toFixed(1)} %`,
      figures.ttftP99Ms.toFixed(0),
      figures.itlP99Ms.toFixed(0),
      `${figures.failed}`,
    ]),
  ));
}

interface Figures {
  readonly requests: number;
  /**
   * Answers that kept their class's objectives, by the time from the first request to the end of the last
   * one.
   */
  readonly goodPerSecond: number;
  /** Times to a refusal, ascending. */
  readonly refusalsMs: number[];
  /** Urgent requests that were taken, and those of them that kept both objectives. */
  readonly urgent: number;
  readonly urgentGood: number;
  readonly ttftP99Ms: number;
  readonly itlP99Ms: number;
  readonly failed: number;
}

async function measure({ load, objectives }: Bench, arrivals: readonly Arrival[]): Promise<Figures> {
  const records = await sendLoad(arrivals, { ...load, signal: new AbortController().signal });
  const seconds = Math.max(...records.map(({ endMs }) => endMs)) / 1000;
  const taken = records.filter(({ outcome }) => outcome === "ok");
  const urgent = taken.filter((record) => record.class === "interactive");
  const good = (record: RequestRecord) =>
    isGood(record, record.class === "interactive" ? objectives : { itlStat: "mean" });
  const p99 = (values: number[]) => values.length === 0 ? 0 : quantile(ascending(values), 0.99);
  return {
    requests: records.length,
    goodPerSecond: taken.filter(good).length / seconds,
    refusalsMs: ascending(
      records.filter(({ outcome }) => outcome === "refused").map(({ endMs, sentMs }) => endMs - sentMs),
    ),
    urgent: urgent.length,
    urgentGood: urgent.filter(good).length,
    ttftP99Ms: p99(urgent.map(({ partsMs, dueMs }) => partsMs[0] - dueMs)),
    itlP99Ms: p99(urgent.map(({ partsMs }) => (partsMs.at(-1)! - partsMs[0]) / (partsMs.length - 1))),
    failed: records.filter(({ outcome }) => outcome === "failed").length,
  };
}

if (import.meta.main) await runScript(COMMAND);
