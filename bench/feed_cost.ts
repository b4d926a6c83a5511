/**
 * What a page that looks on costs those who are served: the speed of streams while somebody reads `/ui/feed` beside
 * that while nobody does, in turns (A B B A), with the processor time that the server takes for each token.
 *
 * deno task run bench/feed_cost.ts --model MODEL.gguf [--streams 32] [--seconds 10] [--pairs 10]
 * @module
 */

import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { renderTable } from "../src/cli/table.ts";
import { interval, mean } from "../src/trial/statistics.ts";
import { runScript } from "./support/script.ts";
import { type ServerProcess, startServerProcess } from "./support/server_process.ts";

const COMMAND: Command = {
  name: "bench/feed_cost.ts",
  summary: "streams of a server while a page looks on, beside the same while none does",
  usage: "--model MODEL [--streams N] [--seconds N] [--pairs N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file", default: "demo" },
    { name: "streams", value: "N", help: "answers at the same time", default: "32" },
    { name: "seconds", value: "N", help: "length of each period", default: "10" },
    { name: "pairs", value: "N", help: "periods of each kind", default: "10" },
  ],
  run: runFeedCost,
};

interface Period {
  readonly tokensPerSecond: number;
  /** Of the server's process. */
  readonly cpuMsPerToken: number;
}

async function runFeedCost(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 1, max: 1000, integer: true })!;
  const streams = number("streams"), seconds = number("seconds");
  const model = await resolveModelFile(args.values.get("model")!);
  const server = await startServerProcess(["--model", model, "--sequences-max", String(streams)]);
  const over = new AbortController();
  const load = Array.from({ length: streams }, (_, i) => stream(server.url, i, over.signal));
  await sleep(5000);
  const periods: { looked: Period[]; alone: Period[] } = { looked: [], alone: [] };
  for (let pair = 0; pair < number("pairs"); pair++) {
    for (const kind of pair % 2 === 0 ? ["alone", "looked"] as const : ["looked", "alone"] as const) {
      const period = await measure(server, seconds, kind === "looked");
      periods[kind].push(period);
      console.error(`${kind} ${period.tokensPerSecond.toFixed(1)} tokens/s`);
    }
  }
  over.abort();
  await Promise.all(load);
  await server.stop();
  report(periods);
  return 0;
}

/** Asks again and again, and reads. */
async function stream(url: string, seed: number, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    ...{ prompt: `Tell me about ${seed}`, max_tokens: 300, ignore_eos: true, seed, stream: true },
  });
  const headers = { "content-type": "application/json" };
  while (!signal.aborted) {
    try {
      const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body, signal });
      if (!response.ok) throw new Error(`the server answered ${response.status}: ${await response.text()}`);
      for await (const _ of response.body!) { /* what is read is counted by the server */ }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

async function measure(server: ServerProcess, seconds: number, isLooked: boolean): Promise<Period> {
  const left = new AbortController();
  const looking = isLooked ? look(server.url, left.signal) : Promise.resolve();
  await sleep(1000);
  const began = performance.now(), tokens = await generated(server.url), cpuMs = server.cpuMs();
  await sleep(seconds * 1000);
  const made = await generated(server.url) - tokens;
  const period = {
    tokensPerSecond: made / (performance.now() - began) * 1000,
    cpuMsPerToken: (server.cpuMs() - cpuMs) / made,
  };
  left.abort();
  await looking;
  return period;
}

async function look(url: string, signal: AbortSignal): Promise<void> {
  let bytes = 0;
  try {
    const response = await fetch(`${url}/ui/feed`, { signal });
    const reader = response.body!.getReader();
    signal.addEventListener("abort", () => void reader.cancel());
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (bytes === 0) throw new Error("the feed told nothing");
}

async function generated(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^vllm:generation_tokens_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + +n,
    0,
  );
}

function report({ looked, alone }: { looked: Period[]; alone: Period[] }): void {
  const row = (name: string, read: (period: Period) => number, digits: number) => {
    const ratio = interval(looked.map((period, i) => read(period) / read(alone[i])));
    const [low, middle, high] = [ratio.low, ratio.mean, ratio.high].map((value) => value.toFixed(4));
    return [
      name,
      mean(alone.map(read)).toFixed(digits),
      mean(looked.map(read)).toFixed(digits),
      `${middle} (${low}–${high})`,
    ];
  };
  console.log(renderTable(["", "alone", "looked at", "ratio (95 %)"], [
    row("tokens/s", ({ tokensPerSecond }) => tokensPerSecond, 1),
    row("CPU ms per token", ({ cpuMsPerToken }) => cpuMsPerToken, 3),
  ]));
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

if (import.meta.main) await runScript(COMMAND);
