/**
 * Urgent and bulk requests side by side on a real engine, at a share of what the machine can do: latencies by
 * class, beside the same load without classes, and what urgent requests cost a backlog of bulk work.
 *
 * deno task run bench/mixed_load.ts [--shape llama-1b] [--format q4_k] [--load 0.9] [--pairs 60] [--svg FILE]
 * [--json]
 * @module
 */

import { loadModel, type Model } from "../mod.ts";
import { DEFAULT_CLASSES, type LatencyClass } from "../scheduler/mod.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { renderTable } from "../src/cli/table.ts";
import { quantile } from "../src/loadtest/quantile.ts";
import { latenciesOf, LoadGenerator, poissonArrivals, type RequestKind, type Trace } from "./mixed/load.ts";
import { runScript } from "./support/script.ts";
import { renderDistributions } from "../src/loadtest/svg_plot.ts";

const COMMAND: Command = {
  name: "bench/mixed_load.ts",
  summary: "urgent and bulk requests side by side: latency by class, with classes and without",
  usage: "[--model FILE | --shape NAME --format FORMAT] [--load SHARE] [--pairs N] [--svg FILE] [--json]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file instead of random weights" },
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "load", value: "SHARE", help: "arrivals, as a share of the capacity measured", default: "0.9" },
    { name: "pairs", value: "N", help: "requests of each kind in a run", default: "60" },
    { name: "urgent", value: "IN/OUT", help: "tokens of an urgent request", default: "64/64" },
    { name: "bulk", value: "IN/OUT", help: "tokens of a bulk request", default: "512/128" },
    {
      name: "itl",
      value: "MS",
      help: "the urgent class's objective for the time between tokens",
      default: "150",
    },
    {
      name: "backlog-seconds",
      value: "S",
      help: "how long bulk work is measured with a backlog",
      default: "60",
    },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "seed", value: "N", help: "of arrivals and prompts", default: "1" },
    { name: "svg", value: "FILE", help: "distributions as a picture" },
    { name: "json", help: "one JSON object a line instead of tables" },
  ],
  run: runMixedLoad,
};

const SAMPLES_ALONE = 7;

interface Setting {
  openMerged(): Promise<Model>;
  openClasses(): Promise<Model>;
  readonly urgent: RequestKind;
  readonly bulk: RequestKind;
  readonly pairs: number;
  readonly load: number;
  readonly seed: number;
  readonly backlogMs: number;
  readonly note: (text: string) => void;
}

const QUEUE_LIMIT = { requests: 1e6, tokens: 1e9 };

/** The classes as they come. */
function defaultClasses(itlSloMs: number): LatencyClass[] {
  const [interactive, batch] = DEFAULT_CLASSES;
  return [
    { ...interactive, itlSloMs, ttftSloMs: undefined, queueLimit: QUEUE_LIMIT },
    { ...batch, queueLimit: QUEUE_LIMIT },
  ];
}

/** One that knows no difference. */
const MERGED: LatencyClass = {
  name: "merged",
  priority: 0,
  maxBatch: 32,
  maxWaitMs: 0,
  queueLimit: QUEUE_LIMIT,
  preemptible: true,
};

async function runMixedLoad(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number, integer = true) =>
    numberOption(args, name, { min, max, integer })!;
  const chosen = args.values.get("model");
  const path = chosen !== undefined
    ? await resolveModelFile(chosen)
    : await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  const itlSloMs = number("itl", 1, 1e6, false);
  const urgent = parseKind(args, "urgent", "interactive"), bulk = parseKind(args, "bulk", "batch");
  const context = Math.max(
    ...[urgent, bulk].map(({ promptTokens, answerTokens }) => promptTokens + answerTokens),
  );
  const open = (classes: LatencyClass[]) =>
    loadModel(path, {
      threads: numberOption(args, "threads", { min: 1, max: 1024, integer: true }),
      contextLength: context,
      kvTokens: 64 * context,
      classes,
      kv: { prefault: true },
      prefixCache: false, // runs have the same prompts
      speculation: "off", // random weights repeat themselves
    });
  const setting: Setting = {
    openMerged: () => open([MERGED]),
    openClasses: () => open(defaultClasses(itlSloMs)),
    urgent,
    bulk,
    pairs: number("pairs", 2, 100_000),
    load: number("load", 0.01, 10, false),
    seed: number("seed", 0, 2 ** 31),
    backlogMs: 1000 * number("backlog-seconds", 1, 86_400, false),
    note: (text) => console.error(text),
  };
  const results = await measure(setting);
  report(results, itlSloMs, args.switches.has("json"));
  const svg = args.values.get("svg");
  if (svg !== undefined) await Deno.writeTextFile(svg, draw(results, itlSloMs));
  return 0;
}

function parseKind(args: Arguments, name: string, latencyClass: string): RequestKind {
  const text = args.values.get(name)!;
  const match = /^(\d+)\/(\d+)$/.exec(text);
  if (match === null) throw new RangeError(`--${name} must be like 64/64, current value is ${text}`);
  return { name, class: latencyClass, promptTokens: Number(match[1]), answerTokens: Number(match[2]) };
}

interface Results {
  /** Requests of each kind that the machine can end in a second. */
  readonly pairsPerSecond: number;
  readonly load: number;
  readonly ttftAloneMs: number;
  /** By name of the run and of the kind. */
  readonly runs: Readonly<Record<"classes" | "merged", readonly Trace[]>>;
  /** Tokens of prompts and answers per second. */
  readonly backlogAlone: number;
  readonly backlogBeside: number;
}

async function measure(setting: Setting): Promise<Results> {
  const { urgent, bulk, pairs, load, seed, note } = setting;
  const run = async (model: Model, kinds: readonly RequestKind[], perSecond: number) => {
    note(
      `${2 * pairs} requests at ${perSecond.toFixed(2)} a second, ${kinds[0].class} and ${kinds[1].class} …`,
    );
    const generator = new LoadGenerator(model, seed + 2);
    await generator.replay(poissonArrivals(kinds, { count: 2 * pairs, perSecond, seed: seed + 3 }));
    return generator.traces;
  };
  const one = [urgent, bulk].map((kind) => ({ ...kind, class: MERGED.name }));
  const pairTokens = one.reduce(
    (sum, { promptTokens, answerTokens }) => sum + promptTokens + answerTokens,
    0,
  );
  const openMerged = async () => {
    await using model = await setting.openMerged();
    note("as many as can be computed …");
    const pairsPerSecond = await saturated(setting, model, one, 0) / pairTokens;
    return { pairsPerSecond, merged: await run(model, one, 2 * pairsPerSecond * load) };
  };
  const { pairsPerSecond, merged } = await openMerged();
  await using model = await setting.openClasses();
  const ttftAloneMs = await ttftAlone(setting, model);
  const classes = await run(model, [urgent, bulk], 2 * pairsPerSecond * load);
  note("a backlog of bulk requests, alone and beside urgent ones …");
  const backlogAlone = await saturated(setting, model, [bulk], 0);
  const backlogBeside = await saturated(setting, model, [bulk], pairsPerSecond * load);
  return { pairsPerSecond, load, ttftAloneMs, runs: { classes, merged }, backlogAlone, backlogBeside };
}

/** Median ms to the first token of an urgent request that has the machine to itself. */
async function ttftAlone({ urgent, seed }: Setting, model: Model): Promise<number> {
  const generator = new LoadGenerator(model, seed);
  for (let i = 0; i < SAMPLES_ALONE; i++) await generator.send(urgent);
  return quantile(latenciesOf(generator.traces, urgent.name).ttft, 0.5);
}

/** Tokens per second with more requests than can be computed, and urgent ones at a rate beside them. */
async function saturated(
  setting: Setting,
  model: Model,
  kinds: readonly RequestKind[],
  urgentPerSecond: number,
): Promise<number> {
  const { urgent, seed, backlogMs } = setting;
  const generator = new LoadGenerator(model, seed + 4);
  const warmMs = backlogMs / 6;
  const endMs = warmMs + backlogMs;
  const refill = async (kind: RequestKind) => {
    while (generator.nowMs < endMs) await generator.send(kind);
  };
  // Twice as many as run at once: somebody always waits.
  const all = Array.from({ length: 64 }, (_, i) => refill(kinds[i % kinds.length]));
  if (urgentPerSecond > 0) {
    const count = Math.ceil(urgentPerSecond * endMs / 1000);
    const arrivals = poissonArrivals([urgent], { count, perSecond: urgentPerSecond, seed: seed + 5 });
    all.push(generator.replay(arrivals.filter(({ atMs }) => atMs < endMs)));
  }
  await new Promise((resolve) => setTimeout(resolve, endMs));
  await generator.stop();
  await Promise.all(all);
  return generator.tokensPerSecond(warmMs, endMs);
}

function report(results: Results, itlSloMs: number, asJson: boolean): void {
  const { pairsPerSecond, load, ttftAloneMs, backlogAlone, backlogBeside } = results;
  const rows = (["classes", "merged"] as const).flatMap((run) =>
    ["urgent", "bulk"].map((kind) => {
      const { ttft, itl } = latenciesOf(results.runs[run], kind);
      const q = (values: readonly number[]) => ({
        p50: quantile(values, 0.5),
        p90: quantile(values, 0.9),
        p99: quantile(values, 0.99),
      });
      return { run, kind, requests: ttft.length, ttftMs: q(ttft), itlMs: q(itl) };
    })
  );
  const summary = { pairsPerSecond, load, itlSloMs, ttftAloneMs, backlogAlone, backlogBeside };
  if (asJson) {
    for (const row of [...rows, summary]) console.log(JSON.stringify(row));
    return;
  }
  const ms = ({ p50, p90, p99 }: { p50: number; p90: number; p99: number }) =>
    [p50, p90, p99].map((value) => value.toFixed(0));
  console.log(renderTable(
    ["", "requests", "", "TTFT p50", "p90", "p99 ms", "ITL p50", "p90", "p99 ms"],
    rows.map((row) => [
      row.run === "classes" ? "with classes" : "one class",
      row.kind,
      `${row.requests}`,
      ...ms(row.ttftMs),
      ...ms(row.itlMs),
    ]),
  ));
  console.log(
    `capacity ${pairsPerSecond.toFixed(3)} pairs a second, load ${100 * load} % of it; ` +
      `an urgent request alone: ${ttftAloneMs.toFixed(0)} ms to its first token\n` +
      `with a bulk backlog: ${backlogAlone.toFixed(0)} tokens/s alone, ${
        backlogBeside.toFixed(0)
      } with urgent ` +
      `requests beside it (${(100 * backlogBeside / backlogAlone).toFixed(1)} %)`,
  );
}

function draw(results: Results, itlSloMs: number): string {
  const { classes, merged } = results.runs;
  const lines = (pick: "ttft" | "itl") => [
    { label: "urgent, own class", color: "#0a6", values: latenciesOf(classes, "urgent")[pick] },
    { label: "bulk, own class", color: "#06c", values: latenciesOf(classes, "bulk")[pick] },
    {
      label: "urgent, one class",
      color: "#0a6",
      isDashed: true,
      values: latenciesOf(merged, "urgent")[pick],
    },
    { label: "bulk, one class", color: "#06c", isDashed: true, values: latenciesOf(merged, "bulk")[pick] },
  ];
  return renderDistributions(`Urgent and bulk requests at ${100 * results.load} % load`, [
    {
      title: "Time between tokens",
      axis: "ITL, ms",
      lines: lines("itl"),
      mark: { value: itlSloMs, label: `objective ${itlSloMs} ms` },
    },
    { title: "Time to the first token", axis: "TTFT, ms", lines: lines("ttft") },
  ]);
}

if (import.meta.main) await runScript(COMMAND);
