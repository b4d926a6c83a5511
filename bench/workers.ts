/**
 * Workers × threads: the same requests through one worker with all threads and through several with fewer, in
 * turns.
 *
 * deno task run bench/workers.ts [--shape llama-1b] [--format q4_k] [--layouts 1x2,2x1] [--repeat 3]
 * @module
 */

import { loadModel, type Model } from "../mod.ts";
import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { renderTable } from "../src/cli/table.ts";
import { quantile } from "../src/loadtest/quantile.ts";
import { latenciesOf, LoadGenerator, type RequestKind } from "./mixed/load.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/workers.ts",
  summary: "one worker with all threads beside several with fewer: speed, latency and memory",
  usage: "[--model FILE | --shape NAME --format FORMAT] [--layouts WORKERSxTHREADS,…] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file instead of random weights" },
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "layouts", value: "WxT,…", help: "workers × threads of each", default: "1x2,2x1" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each; the medians count", default: "3" },
    { name: "json", help: "one JSON object a line instead of a table" },
  ],
  run: runWorkers,
};

/** Loads: what users chat like, what programs ask, and one request that has the machine to itself. */
const LOADS: readonly { kind: RequestKind; requests: number }[] = [
  { kind: { name: "alone", class: "interactive", promptTokens: 64, answerTokens: 32 }, requests: 1 },
  { kind: { name: "short", class: "interactive", promptTokens: 64, answerTokens: 64 }, requests: 16 },
  { kind: { name: "long", class: "interactive", promptTokens: 1024, answerTokens: 32 }, requests: 6 },
];

interface Layout {
  readonly name: string;
  readonly model: Model;
  /** Memory of the process that loading it added. */
  readonly bytes: number;
}

interface Sample {
  readonly tokensPerSecond: number;
  readonly ttftMs: number;
  readonly itlMs: number;
}

async function runWorkers(args: Arguments): Promise<number> {
  const repeat = numberOption(args, "repeat", { min: 1, max: 1000, integer: true })!;
  const chosen = args.values.get("model");
  const path = chosen !== undefined
    ? await resolveModelFile(chosen)
    : await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  const layouts: Layout[] = [];
  try {
    for (const name of args.values.get("layouts")!.split(",")) layouts.push(await openLayout(name, path));
    const rows = [];
    for (const load of LOADS) {
      const samples = new Map<string, Sample[]>(layouts.map(({ name }) => [name, []]));
      for (let round = -1; round < repeat; round++) {
        for (const { name, model } of layouts) {
          const sample = await measureLoad(model, load.kind, load.requests, round);
          if (round >= 0) samples.get(name)!.push(sample); // the first warms caches and clocks
        }
      }
      for (const { name, bytes } of layouts) {
        const pick = (field: keyof Sample) => median(samples.get(name)!.map((sample) => sample[field]));
        const figures = {
          tokensPerSecond: pick("tokensPerSecond"),
          ttftMs: pick("ttftMs"),
          itlMs: pick("itlMs"),
        };
        rows.push({ layout: name, load: load.kind.name, requests: load.requests, ...figures, bytes });
      }
    }
    if (args.switches.has("json")) { for (const row of rows) console.log(JSON.stringify(row)); }
    else {
      console.log(renderTable(
        ["load", "requests", "workers × threads", "tokens/s", "TTFT p50 ms", "ITL p50 ms", "memory MiB"],
        rows.map((row) => [
          row.load,
          `${row.requests}`,
          row.layout,
          row.tokensPerSecond.toFixed(1),
          row.ttftMs.toFixed(0),
          row.itlMs.toFixed(1),
          (row.bytes / 2 ** 20).toFixed(0),
        ]),
      ));
    }
    return 0;
  } finally {
    for (const { model } of layouts) await model.close();
  }
}

async function openLayout(name: string, path: string): Promise<Layout> {
  const match = /^(\d+)x(\d+)$/.exec(name);
  if (match === null) throw new RangeError(`--layouts must be like 1x2,2x1, one is ${name}`);
  const before = Deno.memoryUsage().rss;
  const model = await loadModel(path, {
    workers: Number(match[1]),
    threads: Number(match[2]),
    contextLength: 1152,
    kvTokens: 20 * 1152,
    prefixCache: false,
    speculation: "off", // random weights repeat themselves
  });
  return { name, model, bytes: Deno.memoryUsage().rss - before };
}

/** All requests at once; prompts and answers count. */
async function measureLoad(model: Model, kind: RequestKind, requests: number, seed: number): Promise<Sample> {
  const generator = new LoadGenerator(model, seed + 2);
  for (let i = 0; i < requests; i++) void generator.send(kind);
  await generator.finished();
  const seconds = generator.nowMs / 1000;
  const { ttft, itl } = latenciesOf(generator.traces, kind.name);
  return {
    tokensPerSecond: requests * (kind.promptTokens + kind.answerTokens) / seconds,
    ttftMs: quantile(ttft, 0.5),
    itlMs: quantile(itl, 0.5),
  };
}

if (import.meta.main) await runScript(COMMAND);
