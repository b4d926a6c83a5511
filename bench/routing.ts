/**
 * What routing between two places brings: an hour of recorded traffic in simulated time, with the server's own policy and
 * scheduler, against each of the places alone.
 *
 * deno task run bench/routing.ts --trace FILE [--users 0.05] [--seconds 3600] [--svg routing.svg] [--json FILE]
 * @module
 */

import type { SimulatedServer } from "../src/capacity/simulate.ts";
import { type RoutedRecord, simulatedRules, simulateRoutes } from "../src/capacity/simulate_routes.ts";
import type { StepModel } from "../src/capacity/step_model.ts";
import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { scaledTokenTime } from "../src/protocol/token_time.ts";
import { renderTable } from "../src/cli/table.ts";
import { parseClasses } from "../src/loadtest/arrivals.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { renderDistributions } from "../src/loadtest/svg_plot.ts";
import { playTraffic } from "../src/traffic/play.ts";
import { readTraffic } from "../src/traffic/read.ts";
import type { Way } from "../src/routing/rules.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/routing.ts",
  summary: "latency and cost with routing between two places, against each alone, in simulated time",
  usage: "--trace FILE [options]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "trace", value: "FILE", help: "recorded traffic" },
    { name: "users", value: "X", help: "so many times as many users", default: "0.05" },
    { name: "seconds", value: "S", help: "of the traffic", default: "3600" },
    {
      name: "classes",
      value: "LIST",
      help: "classes and their shares",
      default: "interactive:0.7,batch:0.3",
    },
    { name: "wait", value: "MS", help: "a first token later than this is too late here", default: "2000" },
    { name: "faster", value: "X", help: "so many times as fast is the upstream", default: "8" },
    { name: "network", value: "MS", help: "on the way to the upstream, and as much back", default: "60" },
    { name: "prompt-price", value: "P", help: "of a million tokens of prompts there", default: "0.1" },
    { name: "answer-price", value: "P", help: "of a million tokens of answers there", default: "0.4" },
    { name: "seed", value: "N", help: "of the draws", default: "1" },
    { name: "svg", value: "FILE", help: "plot" },
    { name: "json", value: "FILE", help: "the figures" },
  ],
  run: runRouting,
};

/**
 * Llama 1B in Q4_K on two cores, as the README's first row has it: 481 tokens a second of prompts, 24.5 of one answer.
 */
const CPU_STEP: StepModel = {
  fixedMs: 38.7,
  msPerToken: 2.08,
  msPerKvEntry: 0.0004,
  relativeError: 0.05,
  requestMs: 2,
  tokenMs: 1,
};

function server(step: StepModel): SimulatedServer {
  return { step, workers: 1, batchTokensMax: 512, sequencesMax: 64, kvTokens: 131_072, prefixCache: true };
}

function faster(step: StepModel, times: number, networkMs: number): StepModel {
  return {
    ...step,
    fixedMs: step.fixedMs / times,
    ...scaledTokenTime(step, 1 / times),
    msPerKvEntry: step.msPerKvEntry / times,
    requestMs: step.requestMs + networkMs,
    tokenMs: step.tokenMs + networkMs,
  };
}

/** Figures of a run. Times in ms. */
interface Figures {
  readonly name: string;
  readonly ttft: Readonly<Record<string, readonly number[]>>;
  readonly refused: number;
  readonly away: number;
  readonly requests: number;
  readonly cost: number;
}

function figuresOf(name: string, records: readonly RoutedRecord[]): Figures {
  const times = (of: string) =>
    ascending(
      records.filter((record) => record.class === of && record.partsMs.length > 0)
        .map(({ partsMs, sentMs }) => partsMs[0] - sentMs),
    );
  return {
    name,
    ttft: Object.fromEntries(
      [...new Set(records.map((each) => each.class))].sort().reverse().map((of) => [of, times(of)]),
    ),
    refused: records.filter(({ outcome }) => outcome === "refused").length,
    away: records.filter(({ place }) => place !== "here").length,
    requests: records.length,
    cost: records.reduce((sum, { cost }) => sum + cost, 0),
  };
}

async function runRouting(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number) => numberOption(args, name, { min, max })!;
  const trace = args.values.get("trace");
  if (trace === undefined) throw new UsageError("--trace is missing: a file with recorded traffic");
  const seed = number("seed", 0, 2 ** 32 - 1);
  const arrivals = playTraffic(readTraffic(await Deno.readTextFile(trace)), {
    users: number("users", 0.0001, 1000),
    seconds: number("seconds", 1, 1e7),
    classes: parseClasses(args.values.get("classes")!),
    seed,
  });
  const price = {
    promptPerMillion: number("prompt-price", 0, 1e6),
    answerPerMillion: number("answer-price", 0, 1e6),
  };
  const here = server(CPU_STEP);
  const there = server(faster(CPU_STEP, number("faster", 0.01, 1000), number("network", 0, 10_000)));
  const run = (name: string, way: Way) => {
    const late = { classes: ["interactive"], way, waitMs: number("wait", 0, 1e7) };
    const rules = simulatedRules({ name: "gpu", price, capacity: 1024 }, { way, rules: [late] });
    return figuresOf(name, simulateRoutes(arrivals, { here, there, rules, seed }));
  };
  const all = [
    run("here alone", "here"),
    run("upstream alone", "there"),
    run("overflow", "overflow"),
    run("fastest", "fastest"),
  ];
  print(all);
  const { svg, json } = Object.fromEntries(args.values);
  if (svg !== undefined) await Deno.writeTextFile(svg, plot(all));
  if (json !== undefined) {
    const plain = all.map(({ ttft, ...rest }) => ({ ...rest, ttft: quantiles(ttft) }));
    await Deno.writeTextFile(json, JSON.stringify(plain, null, 2) + "\n");
  }
  return 0;
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 };

function quantiles(ttft: Figures["ttft"]) {
  return Object.fromEntries(
    Object.entries(ttft).map(([name, times]) => [
      name,
      Object.fromEntries(
        Object.entries(QUANTILES).map(([q, share]) => [q, Math.round(quantile(times, share))]),
      ),
    ]),
  );
}

function print(all: readonly Figures[]): void {
  const names = Object.keys(all[0].ttft);
  const head = [
    "",
    ...names.flatMap((name) => Object.keys(QUANTILES).map((q) => `${name} ${q}`)),
    "refused",
    "away",
    "cost",
  ];
  const rows = all.map(({ name, ttft, refused, away, requests, cost }) => [
    name,
    ...names.flatMap((of) =>
      Object.values(QUANTILES).map((q) => `${(quantile(ttft[of], q) / 1000).toFixed(2)} s`)
    ),
    `${refused}`,
    `${(100 * away / requests).toFixed(0)} %`,
    cost.toFixed(4),
  ]);
  console.log(renderTable(head, rows));
  console.log(`${all[0].requests} requests; times to first token`);
}

const COLORS = ["#c2410c", "#6d28d9", "#15803d", "#0369a1"];

function plot(all: readonly Figures[]): string {
  const panels = Object.keys(all[0].ttft).map((name) => ({
    title: name,
    axis: "time to first token, s",
    lines: all.map(({ name: label, ttft }, i) => ({
      label,
      color: COLORS[i],
      values: ttft[name].map((ms) => ms / 1000),
    })),
  }));
  return renderDistributions("Two places, one load", panels);
}

if (import.meta.main) await runScript(COMMAND);
