/**
 * What a key that asks far more than it may costs another one: a good client's time to the first token alone and beside it, in
 * turns. The other key may ask so often a minute; everything above is refused.
 *
 * deno task run bench/key_limits.ts [--rate 100] [--limit 60] [--requests 200] [--repeat 3]
 * @module
 */

import { median } from "../src/cli/bench/measure.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { runScript } from "./support/script.ts";
import { startServerProcess } from "./support/server_process.ts";

const COMMAND: Command = {
  name: "bench/key_limits.ts",
  summary: "a good client's time to the first token beside a key that is over its limit",
  usage: "[--rate N] [--limit N] [--requests N] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "rate", value: "N", help: "requests a second with the other key", default: "100" },
    { name: "limit", value: "N", help: "that it may have in a minute", default: "60" },
    { name: "requests", value: "N", help: "requests of the good client each time", default: "200" },
    { name: "repeat", alias: "r", value: "N", help: "times with, and without", default: "3" },
  ],
  run: runKeyLimits,
};

const GOOD = "key-of-good-1", EAGER = "key-of-eager-1";

async function runKeyLimits(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 1, max: 1e5, integer: true })!;
  const folder = await Deno.makeTempDir({ prefix: "kumi-bench-" });
  const [keyFile, config] = [`${folder}/keys`, `${folder}/kumi.json`];
  await Deno.writeTextFile(keyFile, `${GOOD} good\n${EAGER} eager\n`);
  const keys = [{ name: "eager", requestsPerMinute: number("limit") }];
  await Deno.writeTextFile(config, JSON.stringify({ apiKeys: keyFile, keys }));
  const server = await startServerProcess(["--config", config]);
  const alone: number[][] = [], beside: number[][] = [];
  const statuses = new Map<number, number>();
  try {
    await ttfts(server.url, 50);
    for (let round = 0; round < number("repeat"); round++) {
      alone.push(await ttfts(server.url, number("requests")));
      using _eager = eager(server.url, number("rate"), statuses);
      beside.push(await ttfts(server.url, number("requests")));
    }
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
  const row = (name: string, rounds: number[][]) => {
    const at = (q: number) => median(rounds.map((values) => quantile(ascending(values), q))).toFixed(2);
    return [name, at(0.5), at(0.9), at(0.99)];
  };
  console.log(renderTable(["good client", "TTFT p50 ms", "p90", "p99"], [
    row("alone", alone),
    row("beside the other key", beside),
  ]));
  const told = statuses.entries().map(([status, count]) => `${count} with ${status}`).toArray().sort();
  console.log(`The other key was answered ${told.join(", ")}.`);
  return 0;
}

/** Asks so often a second until it is disposed of. */
function eager(url: string, rate: number, statuses: Map<number, number>): Disposable {
  const timer = setInterval(async () => {
    const response = await ask(url, EAGER, "Once upon a time").catch(() => null);
    if (response === null) return;
    await response.body?.cancel();
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  }, 1000 / rate);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Times to the first event, in ms, one request after the other. */
async function ttfts(url: string, count: number): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = performance.now();
    const response = await ask(url, GOOD, `Once upon a time ${i}`);
    if (!response.ok) throw new Error(`the good client was answered ${response.status}`);
    const reader = response.body!.getReader();
    await reader.read();
    values.push(performance.now() - at);
    while (!(await reader.read()).done);
  }
  return values;
}

function ask(url: string, key: string, prompt: string): Promise<Response> {
  return fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ prompt, max_tokens: 4, ignore_eos: true, stream: true }),
  });
}

if (import.meta.main) await runScript(COMMAND);
