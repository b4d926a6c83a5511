/**
 * Many short requests, batched and quantised as kumi serves them, beside the same requests one at a time: in PyTorch in
 * BF16, in kumi in BF16, in llama.cpp on the same quantised file. All on the same threads, with batched prefill.
 *
 * deno task run bench/serving.ts [--requests 100] [--baseline-requests 5] [--python PATH] [--without pytorch,…]
 * @module
 */

import { Peer } from "../src/cli/bench/peer/peer.ts";
import { PEER_PACKAGE } from "../src/cli/bench/peer/install.ts";
import { flashModes } from "../src/cli/bench/peer/peer_case.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { formatFigure } from "../src/cli/units.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { modelShape } from "../src/gguf/random_shapes.ts";
import { loadModelRunner } from "../src/model_runner.ts";
import { measurePyTorch } from "./serving/pytorch.ts";
import { runScript } from "./support/script.ts";
import { contextOf, makeRequests, type Request } from "./serving/requests.ts";
import { kvTokensFor, serve } from "./serving/serve.ts";

const BASELINES = ["pytorch", "kumi-bf16", "kumi-quantised", "llama.cpp"] as const;
type Baseline = typeof BASELINES[number];

const COMMAND: Command = {
  name: "bench/serving.ts",
  summary: "many short requests, batched and quantised, beside the same one at a time",
  usage: "[--requests N] [--baseline-requests N] [--batch N] [--python PATH] [--without NAME,…] [--json]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "shape", value: "NAME", help: "shape of the random models", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "format of the quantised model", default: "q4_k" },
    { name: "requests", value: "N", help: "requests of the batched run", default: "100" },
    { name: "baseline-requests", value: "N", help: "how many of them the others get", default: "5" },
    { name: "prompt", value: "N", help: "mean tokens of the prompts", default: "225" },
    { name: "answer", value: "N", help: "tokens of each answer", default: "45" },
    { name: "batch", value: "N", help: "requests that run at once", default: "32" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "python", value: "PATH", help: "Python with torch", default: "python3" },
    { name: "without", value: "NAME,…", help: `baselines to leave out: ${BASELINES.join(", ")}` },
    { name: "json", help: "one JSON object a line instead of the table" },
  ],
  details: "A baseline's requests are the first of all; its time is scaled to all of them by its mean.",
  run: runServing,
};

interface Setting {
  readonly shape: string;
  readonly format: string;
  readonly requests: readonly Request[];
  readonly baselineRequests: readonly Request[];
  readonly context: number;
  readonly batch: number;
  readonly python: string;
  threads?: number;
}

/** One condition and its time. */
interface Measured {
  readonly condition: string;
  readonly requestsMeasured: number;
  /** For all requests: measured, or scaled from fewer. */
  readonly seconds: number;
  readonly details: string;
}

async function runServing(args: Arguments): Promise<number> {
  const setting = settingOf(args);
  const without = new Set((args.values.get("without") ?? "").split(",").filter((name) => name !== ""));
  for (const name of without) {
    if (!BASELINES.includes(name as Baseline)) {
      throw new RangeError(`--without takes ${BASELINES.join(", ")}, current value is ${name}`);
    }
  }
  const json = args.switches.has("json");
  const ours = await measureKumi(setting, setting.format, setting.requests, setting.batch);
  if (!json) printConditions(setting);
  const measured = [ours];
  for (const name of BASELINES) {
    if (!without.has(name)) measured.push(await MEASURE[name](setting));
  }
  if (json) printLines(setting, measured);
  else printTable(setting, measured);
  return 0;
}

const MEASURE: Readonly<Record<Baseline, (setting: Setting) => Promise<Measured>>> = {
  "pytorch": oneAtATimePyTorch,
  "kumi-bf16": (setting) => measureKumi(setting, "bf16", setting.baselineRequests, 1),
  "kumi-quantised": (setting) => measureKumi(setting, setting.format, setting.baselineRequests, 1),
  "llama.cpp": oneAtATimePeer,
};

function settingOf(args: Arguments): Setting {
  const count = (name: string, max = 100_000) => numberOption(args, name, { min: 1, max, integer: true });
  const shape = args.values.get("shape")!;
  const { vocab } = modelShape(shape);
  const requestShape = { promptTokens: count("prompt")!, answerTokens: count("answer")!, vocab };
  const requests = makeRequests(count("requests")!, requestShape);
  return {
    shape,
    format: args.values.get("format")!,
    requests,
    baselineRequests: requests.slice(0, count("baseline-requests")!),
    context: contextOf(requestShape),
    batch: count("batch", 512)!,
    python: args.values.get("python")!,
    threads: count("threads", 1024),
  };
}

/** Seconds for all requests, from those of some: by their mean. */
function scaled(setting: Setting, seconds: number, measured: number): number {
  return seconds / measured * setting.requests.length;
}

async function measureKumi(
  setting: Setting,
  format: string,
  requests: readonly Request[],
  batch: number,
): Promise<Measured> {
  const { context, threads } = setting;
  using file = await openGguf(await randomModelFile(setting.shape, format));
  const kvTokens = kvTokensFor(batch, context);
  const options = { contextLength: context, kvTokens, logitsRowsMax: batch, threads };
  using runner = await loadModelRunner(file, options);
  setting.threads ??= runner.kernels.threads; // the others get as many
  serve(runner, requests.slice(0, 1), 1, context); // warms caches and clocks
  const { seconds, steps } = serve(runner, requests, batch, context);
  return {
    condition: `kumi ${format}, ${batch === 1 ? "one at a time" : `${batch} at once`}`,
    requestsMeasured: requests.length,
    seconds: scaled(setting, seconds, requests.length),
    details: `${runner.kernels.isa}, KV f16, ${steps} steps of at most ${runner.batchTokensMax} tokens`,
  };
}

async function oneAtATimePeer(setting: Setting): Promise<Measured> {
  const { context, baselineRequests, format } = setting;
  const threads = setting.threads!;
  await using peer = await Peer.start();
  await peer.load(await randomModelFile(setting.shape, format));
  let best = { seconds: Infinity, flash: false };
  for (const flash of flashModes("f16")) {
    await peer.open({ threads, context, flash });
    let seconds = 0;
    for (const [i, { prompt, answerTokens }] of [baselineRequests[0], ...baselineRequests].entries()) {
      const prefill = await peer.prefill(prompt);
      const decode = await peer.decode([prompt.slice(0, answerTokens - 1)], prompt.length);
      if (i > 0) seconds += prefill + decode; // the first one warms up
    }
    if (seconds < best.seconds) best = { seconds, flash };
  }
  return {
    condition: `llama.cpp ${format}, one at a time`,
    requestsMeasured: baselineRequests.length,
    seconds: scaled(setting, best.seconds, baselineRequests.length),
    details: `${PEER_PACKAGE}, KV f16, ubatch 512, flash attention ${best.flash ? "on" : "off"} (the better)`,
  };
}

async function oneAtATimePyTorch(setting: Setting): Promise<Measured> {
  const { python, baselineRequests } = setting;
  const result = await measurePyTorch(python, modelShape(setting.shape), baselineRequests, setting.threads!);
  return {
    condition: "PyTorch bf16, one at a time",
    requestsMeasured: baselineRequests.length,
    seconds: scaled(setting, result.seconds.reduce((a, b) => a + b), baselineRequests.length),
    details:
      `torch ${result.torch}, ${result.capability}, ${result.threads} threads, eager, KV cache in bf16`,
  };
}

function printConditions({ shape, requests, threads, context }: Setting): void {
  const sum = (of: (request: Request) => number) => requests.reduce((total, each) => total + of(each), 0);
  const promptMean = sum(({ prompt }) => prompt.length) / requests.length;
  console.log(
    `${requests.length} requests, all there from the start: prompts of ${
      promptMean.toFixed(0)
    } tokens on average, ` +
      `answers of ${requests[0].answerTokens}, at most ${context} together; greedy\n` +
      `random weights in the shape ${shape}; ${processorName()}, ${threads} threads; ` +
      "every prompt is prefilled in batches\n",
  );
}

function printLines(setting: Setting, measured: readonly Measured[]): void {
  const shared = { requests: setting.requests.length, threads: setting.threads, processor: processorName() };
  for (const each of measured) {
    console.log(JSON.stringify({ ...shared, ...each, ratio: each.seconds / measured[0].seconds }));
  }
}

function printTable(setting: Setting, measured: readonly Measured[]): void {
  const count = setting.requests.length;
  const answers = setting.requests.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
  const rows = measured.map(({ condition, requestsMeasured, seconds, details }) => [
    condition,
    `${requestsMeasured}${requestsMeasured < count ? ` (scaled to ${count})` : ""}`,
    seconds.toFixed(1),
    formatFigure(answers / seconds),
    `${(seconds / measured[0].seconds).toFixed(2)}×`,
    details,
  ]);
  console.log(renderTable(["", "requests measured", "seconds", "tokens out/s", "time", "how"], rows));
}

if (import.meta.main) await runScript(COMMAND);
