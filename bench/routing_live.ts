/**
 * Routing with two real servers, of which the upstream is slowed: each alone, and both, under the same load.
 *
 * deno task run bench/routing_live.ts --model FILE --trace FILE [--seconds 60] [--users 0.1] [--slow 0.5] [--svg FILE]
 * @module
 */

import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { type Arrival, parseClasses } from "../src/loadtest/arrivals.ts";
import { sendLoad, warmUp } from "../src/loadtest/generator.ts";
import { PromptMaker } from "../src/loadtest/prompts.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import type { RequestRecord } from "../src/loadtest/send.ts";
import { renderDistributions } from "../src/loadtest/svg_plot.ts";
import { calibrate, type Target } from "../src/loadtest/target.ts";
import { playTraffic } from "../src/traffic/play.ts";
import { readTraffic } from "../src/traffic/read.ts";
import { type ServerProcess, startServerProcess } from "./support/server_process.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/routing_live.ts",
  summary: "latency and cost with routing between two servers, against each alone",
  usage: "--trace FILE [options]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "MODEL", help: "of both servers", default: "demo" },
    { name: "trace", value: "FILE", help: "recorded traffic" },
    { name: "seconds", value: "S", help: "of each of the three loads", default: "60" },
    { name: "users", value: "X", help: "so many times as many users", default: "0.1" },
    { name: "slow", value: "SHARE", help: "of the time in which the upstream stands still", default: "0.5" },
    { name: "wait", value: "MS", help: "a first token later than this is too late here", default: "1000" },
    { name: "prompt-max", value: "N", help: "longest prompt", default: "1000" },
    { name: "answer-max", value: "N", help: "longest answer", default: "100" },
    { name: "seed", value: "N", help: "of the draws", default: "1" },
    { name: "svg", value: "FILE", help: "plot" },
  ],
  run: runLive,
};

const MODEL = "model", CLASSES = "interactive:0.7,batch:0.3";
/** Stands still for a part of each so many ms. */
const PERIOD_MS = 50;
const PRICE = { promptPerMillion: 0.1, answerPerMillion: 0.4 };
const TIMEOUT_MS = 120_000;

/** Stops a process for a share of its time. Returns what ends that. */
function slowDown(pid: number, share: number): () => void {
  if (share === 0) return () => {};
  let timer: ReturnType<typeof setTimeout>;
  const turn = (isStopped: boolean) => {
    Deno.kill(pid, isStopped ? "SIGSTOP" : "SIGCONT");
    timer = setTimeout(turn, PERIOD_MS * (isStopped ? share : 1 - share), !isStopped);
  };
  turn(true);
  return () => {
    clearTimeout(timer);
    Deno.kill(pid, "SIGCONT");
  };
}

interface Outcome {
  readonly name: string;
  readonly records: readonly RequestRecord[];
  readonly away: number;
  readonly cost: number;
}

async function runLive(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number) => numberOption(args, name, { min, max })!;
  const trace = args.values.get("trace");
  if (trace === undefined) throw new UsageError("--trace is missing: a file with recorded traffic");
  const seed = number("seed", 0, 2 ** 32 - 1);
  const arrivals = playTraffic(readTraffic(await Deno.readTextFile(trace)), {
    users: number("users", 0.0001, 1000),
    seconds: number("seconds", 1, 1e5),
    promptMax: number("prompt-max", 1, 1e6),
    answerMax: number("answer-max", 1, 1e6),
    classes: parseClasses(CLASSES),
    seed,
  });
  const model = ["--model", args.values.get("model")!, "--model-name", MODEL, "--threads", "1"];
  const [cpuHere, cpuThere] = [["--cpus", "0"], ["--cpus", "1"]];
  const there = await startServerProcess([...model, ...cpuThere]);
  const faster = slowDown(there.pid, number("slow", 0, 0.95));
  const outcomes: Outcome[] = [];
  try {
    for (const way of ["here", "there", "overflow"]) {
      const config = await writeConfig(there.url, way, number("wait", 0, 1e7));
      const here = await startServerProcess([...model, ...cpuHere, "--config", config]);
      outcomes.push(await underLoad(way, here, arrivals, seed).finally(() => here.stop()));
      await Deno.remove(config);
    }
  } finally {
    faster();
    await there.stop();
  }
  print(outcomes);
  const svg = args.values.get("svg");
  if (svg !== undefined) await Deno.writeTextFile(svg, plot(outcomes));
  return 0;
}

async function writeConfig(url: string, way: string, waitMs: number): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  const upstream = {
    name: "there",
    url: `${url}/v1`,
    kind: "kumi",
    models: [{ name: MODEL }],
    data: "internal",
    price: PRICE,
  };
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      upstreams: [upstream],
      routing: { way, rules: [{ classes: ["interactive"], way, waitMs }] },
    }),
  );
  return path;
}

async function underLoad(
  name: string,
  { url }: ServerProcess,
  arrivals: readonly Arrival[],
  seed: number,
): Promise<Outcome> {
  const target: Target = {
    baseUrl: `${url}/v1`,
    model: MODEL,
    api: "chat",
    sendsClass: true,
    ignoreEnd: true,
  };
  const prompts = new PromptMaker(await calibrate(target, seed), { nonce: seed });
  const { signal } = new AbortController();
  const options = { target, prompts, inFlightMax: 1000, timeoutMs: TIMEOUT_MS, signal };
  await warmUp(arrivals.slice(0, 4), options);
  const before = await figures(url);
  const records = await sendLoad(arrivals, options);
  const after = await figures(url);
  return { name, records, away: after.away - before.away, cost: after.cost - before.cost };
}

/** Requests that went away, and what they have cost, by the server's own metrics. */
async function figures(url: string): Promise<{ away: number; cost: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (name: string) =>
    text.split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes('route="there"'))
      .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  return { away: sum("kumi:route_requests_total"), cost: sum("kumi:route_cost_total") };
}

function timesOf({ records }: Outcome, name: string): number[] {
  return ascending(
    records.filter((record) => record.class === name && record.outcome === "ok")
      .map(({ partsMs, sentMs }) => partsMs[0] - sentMs),
  );
}

const NAMES = ["interactive", "batch"];

function print(outcomes: readonly Outcome[]): void {
  const head = [
    "",
    ...NAMES.flatMap((name) => [`${name} p50`, "p99"]),
    "answered",
    "refused",
    "failed",
    "away",
    "cost",
  ];
  const rows = outcomes.map((outcome) => {
    const { name, records, away, cost } = outcome;
    const count = (of: string) => `${records.filter(({ outcome }) => outcome === of).length}`;
    return [
      name,
      ...NAMES.flatMap((each) => {
        const times = timesOf(outcome, each);
        return [0.5, 0.99].map((q) =>
          times.length === 0 ? "-" : `${(quantile(times, q) / 1000).toFixed(2)} s`
        );
      }),
      ...["ok", "refused", "failed"].map(count),
      `${away}`,
      cost.toFixed(5),
    ];
  });
  console.log(renderTable(head, rows));
  console.log(`${outcomes[0].records.length} requests each; times to first token`);
}

const COLORS = ["#c2410c", "#6d28d9", "#15803d"];

function plot(outcomes: readonly Outcome[]): string {
  const panels = NAMES.map((name) => ({
    title: name,
    axis: "time to first token, s",
    lines: outcomes.map((outcome, i) => ({
      label: outcome.name,
      color: COLORS[i],
      values: timesOf(outcome, name).map((ms) => ms / 1000),
    })),
  }));
  return renderDistributions("Two servers, one load", panels);
}

if (import.meta.main) await runScript(COMMAND);
