/**
 * What the gate before the server costs: streams at the same time, and small requests one after the other, at
 * a server with a gate and at one without, in turns.
 *
 * deno task run bench/gate.ts [--shape llama-1b] [--streams 32] [--tokens 200] [--repeat 7]
 * @module
 */

import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { runScript } from "./support/script.ts";
import { type ServerProcess, startServerProcess } from "./support/server_process.ts";

const COMMAND: Command = {
  name: "bench/gate.ts",
  summary: "a server behind its gate beside one without",
  usage: "[--shape NAME --format FORMAT] [--streams N] [--tokens N] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "shape", value: "NAME", help: "shapes of a model with random weights; default: the demo model" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "streams", value: "N", help: "streams at the same time", default: "32" },
    { name: "tokens", value: "N", help: "tokens of each", default: "200" },
    { name: "requests", value: "N", help: "small requests", default: "200" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each; the medians count", default: "7" },
  ],
  run: runGate,
};

interface Load {
  readonly streams: number;
  readonly tokens: number;
  readonly requests: number;
}

interface Figures {
  readonly tokensPerSecond: number;
  /** CPU time of the server. */
  readonly usPerToken: number;
  readonly smallMs: number;
  readonly usPerRequest: number;
}

async function runGate(args: Arguments): Promise<number> {
  const number = (name: string) => numberOption(args, name, { min: 1, max: 1e6, integer: true })!;
  const load = { streams: number("streams"), tokens: number("tokens"), requests: number("requests") };
  const shape = args.values.get("shape");
  const model = shape === undefined ? "demo" : await randomModelFile(shape, args.values.get("format")!);
  const servers: ServerProcess[] = [];
  const figures: Figures[][] = [[], []];
  try {
    for (const gate of [["--no-gate"], []]) {
      servers.push(await startServerProcess(["--model", model, ...gate]));
    }
    // The first round warms caches and clocks.
    for (let round = -1; round < number("repeat"); round++) {
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const measured = await measure(servers[i], load);
        if (round >= 0) figures[i].push(measured);
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  const pick = (i: number, field: keyof Figures) => median(figures[i].map((each) => each[field]));
  console.log(renderTable(
    ["server", "tokens/s", "CPU µs/token", "small request ms", "its CPU µs"],
    ["without gate", "with gate"].map((name, i) => [
      name,
      pick(i, "tokensPerSecond").toFixed(0),
      pick(i, "usPerToken").toFixed(1),
      pick(i, "smallMs").toFixed(3),
      pick(i, "usPerRequest").toFixed(0),
    ]),
  ));
  const ratios = figures[1].map(({ tokensPerSecond }, i) => tokensPerSecond / figures[0][i].tokensPerSecond);
  console.log(
    `tokens/s with the gate: ${(100 * median(ratios)).toFixed(1)} % of those without, median of pairs`,
  );
  return 0;
}

async function measure({ url, cpuMs }: ServerProcess, { streams, tokens, requests }: Load): Promise<Figures> {
  const post = (body: Record<string, unknown>) =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "Once", ...body }),
    });
  const cpu = [cpuMs()];
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: streams }, async (_, seed) => {
    const { body } = await post({ ignore_eos: true, max_tokens: tokens, seed, stream: true });
    for await (const _part of body!);
  }));
  const seconds = (performance.now() - startedAt) / 1000;
  cpu.push(cpuMs());
  const small: number[] = [];
  for (let i = 0; i < requests; i++) {
    const at = performance.now();
    await (await post({ max_tokens: 1 })).text();
    small.push(performance.now() - at);
  }
  cpu.push(cpuMs());
  return {
    tokensPerSecond: streams * tokens / seconds,
    usPerToken: 1000 * (cpu[1] - cpu[0]) / (streams * tokens),
    smallMs: median(small),
    usPerRequest: 1000 * (cpu[2] - cpu[1]) / requests,
  };
}

if (import.meta.main) await runScript(COMMAND);
