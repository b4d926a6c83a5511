/**
 * What slow clients cost a good one: the time to its first token with and without them, in turns. Half of the
 * slow connections send heads that never end, half bodies; slow readers ask for long streams and read a few
 * bytes at a time. All begin again when the server ends them.
 *
 * deno task run bench/slow_clients.ts [--connections 2000] [--readers 200] [--shape smollm-135m] [--repeat 3]
 * @module
 */

import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { runScript } from "./support/script.ts";
import { type ServerProcess, startServerProcess } from "./support/server_process.ts";
import type { SlowOrder } from "./support/slow_worker.ts";

const COMMAND: Command = {
  name: "bench/slow_clients.ts",
  summary: "a good client's time to the first token beside slow clients and without them",
  usage: "[--connections N] [--readers N] [--shape NAME --format FORMAT] [--requests N] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "connections", value: "N", help: "slow connections", default: "2000" },
    { name: "readers", value: "N", help: "slow readers", default: "200" },
    { name: "shape", value: "NAME", help: "shapes of a model with random weights; default: the demo model" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q8_0" },
    { name: "reader-tokens", value: "N", help: "tokens that a reader asks for", default: "400" },
    { name: "connections-max", value: "N", help: "places that the server has", default: "4096" },
    { name: "requests", value: "N", help: "requests of the good client each time", default: "200" },
    { name: "repeat", alias: "r", value: "N", help: "times with, and without", default: "3" },
  ],
  run: runSlowClients,
};

/** Between two bytes of a slow client. */
const EVERY_MS = 1000;
/** For the streams of slow readers to be computed: then only their connections are left. */
const SETTLE_MS_MAX = 120_000;

async function runSlowClients(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 0, max: 1e6, integer: true })!;
  const shape = args.values.get("shape");
  const model = shape === undefined ? "demo" : await randomModelFile(shape, args.values.get("format")!);
  const server = await startServerProcess([
    ...["--model", model, "--connections-max", args.values.get("connections-max")!],
  ]);
  const quiet: number[][] = [], beside: number[][] = [];
  let slow = { open: 0, opened: 0 };
  try {
    await ttfts(server, 50);
    for (let round = 0; round < number("repeat"); round++) {
      quiet.push(await ttfts(server, number("requests")));
      const attack = new Attack();
      await attack.tell({
        port: server.port,
        everyMs: EVERY_MS,
        connections: number("connections"),
        readers: number("readers"),
        readerTokens: number("reader-tokens"),
      });
      await settled(server);
      beside.push(await ttfts(server, number("requests")));
      slow = await attack.end();
    }
  } finally {
    await server.stop();
  }
  const row = (name: string, rounds: number[][]) => {
    const at = (q: number) => median(rounds.map((values) => quantile(ascending(values), q))).toFixed(1);
    return [name, at(0.5), at(0.9), at(0.99)];
  };
  console.log(renderTable(["good client", "TTFT p50 ms", "p90", "p99"], [
    row("alone", quiet),
    row("beside slow clients", beside),
  ]));
  const ratios = beside.map((values, i) =>
    quantile(ascending(values), 0.99) / quantile(ascending(quiet[i]), 0.99)
  );
  console.log(
    `p99 beside slow clients: ${median(ratios).toFixed(2)} × alone, median of rounds. ` +
      `In the last one ${slow.open} slow connections were open, ${slow.opened} had been opened. ` +
      `The good client had to ask again ${again} times.`,
  );
  return 0;
}

/** Slow clients in a worker. */
class Attack {
  readonly #worker = new Worker(new URL("./support/slow_worker.ts", import.meta.url), { type: "module" });

  async tell(order: SlowOrder): Promise<{ open: number; opened: number }> {
    const answered = new Promise<MessageEvent>((resolve) =>
      this.#worker.addEventListener("message", resolve, { once: true })
    );
    this.#worker.postMessage(order);
    return (await answered).data;
  }

  /** Ends it; says how many connections there were. */
  async end(): Promise<{ open: number; opened: number }> {
    const counts = await this.tell("count");
    await this.tell("end");
    this.#worker.terminate();
    return counts;
  }
}

/** Waits until nothing is computed any more for those who will read it slowly. */
async function settled({ url }: ServerProcess): Promise<void> {
  const startedAt = performance.now();
  for (let idle = 0; idle < 5 && performance.now() - startedAt < SETTLE_MS_MAX;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const response = await fetch(`${url}/v1/queue`);
    const { classes = [{ running: 1, waiting: 0 }] } = await response.json();
    const busy = classes.some(({ running, waiting }: Record<string, number>) => running + waiting > 0);
    idle = busy ? 0 : idle + 1;
  }
}

/** Times to the first event with text, in ms, one request after the other. */
async function ttfts({ url }: ServerProcess, count: number): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = performance.now();
    const response = await ask(url, `Once upon a time ${i}`);
    const reader = response.body!.getReader();
    await reader.read();
    values.push(performance.now() - at);
    while (!(await reader.read()).done);
  }
  return values;
}

/** How often the good client had to ask again, as clients do when a connection is gone. */
let again = 0;

async function ask(url: string, prompt: string): Promise<Response> {
  for (let tries = 1;; tries++) {
    try {
      const response = await fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt, max_tokens: 4, ignore_eos: true, stream: true }),
      });
      if (response.ok) return response;
      throw new Error(`${response.status}: ${await response.text()}`);
    } catch (error) {
      if (tries === 3) throw error;
      again++;
    }
  }
}

if (import.meta.main) await runScript(COMMAND);
