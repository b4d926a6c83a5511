/**
 * What HTTP and streaming cost: N answers at the same time, streamed to clients of a server, beside the same
 * answers asked of the model that it serves, in the same process and in turns. The clients run in a thread of
 * their own on the same cores.
 *
 * deno task run bench/http_cost.ts [--shape llama-1b --format q4_k] [--streams 32] [--tokens 64] [--repeat 7]
 * @module
 */

import { type Model, serve } from "../mod.ts";
import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { renderTable } from "../src/cli/table.ts";
import { runScript } from "./support/script.ts";
import type { StreamOrder } from "./support/stream_worker.ts";

const COMMAND: Command = {
  name: "bench/http_cost.ts",
  summary: "streams of a server beside answers of the model in the same process",
  usage: "[--model FILE | --shape NAME --format FORMAT] [--streams N] [--tokens N] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file instead of random weights" },
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "streams", value: "N", help: "answers at the same time", default: "32" },
    { name: "tokens", value: "N", help: "tokens of each", default: "64" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each; the medians count", default: "7" },
  ],
  run: runHttpCost,
};

interface Load {
  readonly streams: number;
  readonly tokens: number;
}

async function runHttpCost(args: Arguments): Promise<number> {
  const number = (name: string, max: number) => numberOption(args, name, { min: 1, max, integer: true })!;
  const load: Load = { streams: number("streams", 256), tokens: number("tokens", 4096) };
  const chosen = args.values.get("model");
  const path = chosen !== undefined
    ? await resolveModelFile(chosen)
    : await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  const contextLength = load.tokens + 16;
  await using server = serve({
    ...{ model: path, port: 0, contextLength, prefixCache: false, canaryMs: 0 },
    kvTokens: load.streams * (contextLength + 16),
    sequencesMax: load.streams,
  });
  const model = await server.ready;
  const clients = new Worker(new URL("./support/stream_worker.ts", import.meta.url), { type: "module" });
  const runs: Record<"library" | "http", number[]> = { library: [], http: [] };
  for (let round = -1; round < number("repeat", 1000); round++) {
    for (const way of round % 2 === 0 ? ["http", "library"] as const : ["library", "http"] as const) {
      const ms = way === "http"
        ? await stream(clients, { ...load, url: server.url })
        : await ask(model, load);
      // The first round warms caches and clocks.
      if (round >= 0) runs[way].push(load.streams * load.tokens * 1000 / ms);
    }
  }
  clients.terminate();
  console.log(renderTable(["answers", "tokens/s"], [
    ["of the model", median(runs.library).toFixed(1)],
    ["streamed by the server", median(runs.http).toFixed(1)],
  ]));
  const share = median(runs.http.map((speed, i) => speed / runs.library[i]));
  console.log(
    `${load.streams} × ${load.tokens} tokens, ${path}: ${
      (100 * share).toFixed(1)
    } % with HTTP, median of ${runs.http.length} pairs`,
  );
  return 0;
}

/** Ms until all streams have ended, by the clients' clock. */
async function stream(clients: Worker, order: StreamOrder): Promise<number> {
  const done = Promise.withResolvers<number>();
  clients.onmessage = ({ data }) => done.resolve(data);
  clients.onerror = ({ message }) => done.reject(new Error(message));
  clients.postMessage(order);
  return await done.promise;
}

/** Ms until all answers are there. */
async function ask(model: Model, { streams, tokens }: Load): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: streams }, async (_, seed) => {
    let parts = 0;
    const options = {
      ...{ class: "interactive", maxTokens: tokens, seed, ignoreEnd: true },
      onPart: () => void parts++,
    };
    await model.generate("Once", options).result;
    if (parts === 0) throw new Error("an answer came without parts");
  }));
  return performance.now() - startedAt;
}

if (import.meta.main) await runScript(COMMAND);
