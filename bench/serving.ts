/**
 * Many short requests, batched and quantised as kumi serves them, beside the same requests one at a time: in
 * PyTorch in BF16, in kumi in BF16 and quantised, in llama.cpp on the same quantised file. All on the same
 * threads, with batched prefill. The others take their turns between the steps of the batched run.
 *
 * deno task run bench/serving.ts [--requests 100] [--rival-requests 5] [--python PATH] [--without pytorch,…]
 * @module
 */

import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { formatFigure } from "../src/cli/units.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { modelShape } from "../src/models/shapes.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";
import { contextOf, makeRequests, type Request } from "./serving/requests.ts";
import { type Rival, type RivalName, RIVALS, startRival } from "./serving/rivals.ts";
import { kvTokensFor, serve } from "./serving/serve.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/serving.ts",
  summary: "many short requests, batched and quantised, beside the same one at a time",
  usage: "[--requests N] [--rival-requests N] [--batch N] [--python PATH] [--without NAME,…] [--json]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "shape", value: "NAME", help: "shape of the random models", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "format of the quantised model", default: "q4_k" },
    { name: "requests", value: "N", help: "requests of the batched run", default: "100" },
    { name: "rival-requests", value: "N", help: "how many of them the others get", default: "5" },
    { name: "prompt", value: "N", help: "mean tokens of the prompts", default: "225" },
    { name: "answer", value: "N", help: "tokens of each answer", default: "45" },
    { name: "batch", value: "N", help: "requests that run at once", default: "32" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "python", value: "PATH", help: "Python with torch", default: "python3" },
    { name: "without", value: "NAME,…", help: `rivals to leave out: ${RIVALS.join(", ")}` },
    { name: "json", help: "one JSON object a line instead of the table" },
  ],
  details:
    "The rivals' requests are the first of all; their time is scaled to all requests by its mean. All models\n" +
    "are in memory at once: 10 GB for llama-1b.",
  run: runServing,
};

interface Setting {
  readonly shape: string;
  readonly format: string;
  readonly requests: readonly Request[];
  readonly rivalRequests: readonly Request[];
  readonly context: number;
  readonly batch: number;
}

/** One condition and its time. */
interface Measured {
  readonly condition: string;
  readonly requestsMeasured: number;
  /** For all requests: measured, or scaled from fewer. */
  readonly seconds: number;
  readonly how: string;
}

async function runServing(args: Arguments): Promise<number> {
  const setting = settingOf(args);
  const { context, batch, shape, format } = setting;
  const names = rivalNames(args);
  using file = await openGguf(await randomModelFile(shape, format));
  using runner = await loadModelRunner(file, {
    contextLength: context,
    kvTokens: kvTokensFor(batch, context),
    logitsRowsMax: batch,
    threads: numberOption(args, "threads", { min: 1, max: 1024, integer: true }),
  });
  const json = args.switches.has("json");
  if (!json) printConditions(setting, runner);
  await using started = new AsyncDisposableStack();
  const rivals: Rival[] = [];
  for (const name of names) {
    const { threads } = runner.kernels;
    const rival = await startRival(name, {
      shape,
      format,
      context,
      threads,
      python: args.values.get("python")!,
    });
    rivals.push(started.use(rival));
    await rival.serve(setting.requests[0]); // warms caches and clocks
  }
  const measured = await measure(setting, runner, rivals);
  if (json) printLines(setting, runner, measured);
  else printTable(setting, measured);
  return 0;
}

function rivalNames(args: Arguments): RivalName[] {
  const without = (args.values.get("without") ?? "").split(",").filter((name) => name !== "");
  for (const name of without) {
    if (!RIVALS.includes(name as RivalName)) {
      throw new UsageError(`--without takes ${RIVALS.join(", ")}, current value is ${name}`);
    }
  }
  return RIVALS.filter((name) => !without.includes(name));
}

function settingOf(args: Arguments): Setting {
  const count = (name: string, max = 100_000) => numberOption(args, name, { min: 1, max, integer: true })!;
  const shape = args.values.get("shape")!;
  const requestShape = {
    promptTokens: count("prompt"),
    answerTokens: count("answer"),
    vocab: modelShape(shape).vocab,
  };
  const requests = makeRequests(count("requests"), requestShape);
  return {
    shape,
    format: args.values.get("format")!,
    requests,
    rivalRequests: requests.slice(0, count("rival-requests")),
    context: contextOf(requestShape),
    batch: count("batch", 512),
  };
}

/** The batched run; each time that another share of it is done, every rival serves its next request. */
async function measure(setting: Setting, runner: ModelRunner, rivals: readonly Rival[]): Promise<Measured[]> {
  const { requests, rivalRequests, batch, context, format } = setting;
  await serve(runner, requests.slice(0, 1), 1, context); // warms caches and clocks
  const turns: number[][][] = rivals.map(() => []);
  let turn = 0;
  const takeTurns = async (share: number) => {
    for (; turn < rivalRequests.length && share >= (turn + 0.5) / rivalRequests.length; turn++) {
      console.error(`${Math.round(share * 100)} % of the batched run; request ${turn + 1} of the others`);
      for (const [i, rival] of rivals.entries()) turns[i].push(await rival.serve(rivalRequests[turn]));
    }
  };
  const { seconds, steps } = await serve(runner, requests, batch, context, takeTurns);
  await takeTurns(1);
  const ours: Measured = {
    condition: `kumi ${format}, ${batch} at once`,
    requestsMeasured: requests.length,
    seconds,
    how: `${runner.kernels.isa}, ${runner.kernels.threads} threads, KV f16, ${steps} steps of at most ` +
      `${runner.batchTokensMax} tokens`,
  };
  return [ours, ...rivals.map((rival, i) => measuredOf(rival, turns[i], requests.length))];
}

/** The rival's better mode, scaled to all requests. */
function measuredOf({ title, how }: Rival, turns: readonly number[][], requests: number): Measured {
  const modes = turns[0].map((_, mode) => turns.reduce((sum, seconds) => sum + seconds[mode], 0));
  const seconds = Math.min(...modes) / turns.length * requests;
  return { condition: title, requestsMeasured: turns.length, seconds, how };
}

function printConditions({ shape, requests, context }: Setting, { kernels }: ModelRunner): void {
  const promptMean = requests.reduce((sum, { prompt }) => sum + prompt.length, 0) / requests.length;
  console.log(
    `${requests.length} requests, all there from the start: prompts of ${
      promptMean.toFixed(0)
    } tokens on average, ` +
      `answers of ${requests[0].answerTokens}, at most ${context} together; greedy\n` +
      `random weights in the shape ${shape}; ${processorName()}, ${kernels.threads} threads; load average before ` +
      `${Deno.loadavg()[0].toFixed(1)}\nevery prompt is prefilled in batches; all take turns in one run\n`,
  );
}

function printLines(setting: Setting, { kernels }: ModelRunner, measured: readonly Measured[]): void {
  const { requests, shape } = setting;
  const shared = { requests: requests.length, shape, threads: kernels.threads, processor: processorName() };
  for (const each of measured) {
    console.log(JSON.stringify({ ...shared, ...each, ratio: each.seconds / measured[0].seconds }));
  }
}

function printTable({ requests }: Setting, measured: readonly Measured[]): void {
  const answers = requests.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
  const rows = measured.map(({ condition, requestsMeasured, seconds, how }) => [
    condition,
    `${requestsMeasured}${requestsMeasured < requests.length ? ` (scaled to ${requests.length})` : ""}`,
    seconds.toFixed(1),
    formatFigure(answers / seconds),
    `${(seconds / measured[0].seconds).toFixed(2)}×`,
    how,
  ]);
  console.log(renderTable(["", "requests measured", "seconds", "tokens out/s", "time", "how"], rows));
}

if (import.meta.main) await runScript(COMMAND);
