/**
 * What scheduling, messages and text cost: tokens generated per second by N concurrent requests to an engine,
 * beside the bare decode of N sequences in the same process, in turns.
 *
 * deno task run bench/engine_throughput.ts [--shape llama-1b] [--format q4_k] [--batch 32] [--tokens 64]
 * [--repeat 5]
 * @module
 */

import { loadModel } from "../mod.ts";
import { prepare } from "../src/cli/bench/cases.ts";
import { median } from "../src/cli/bench/measure.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";
import { DECODE_PROMPT as PROMPT, decodeSpeed } from "./support/decode_speed.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/engine_throughput.ts",
  summary: "generated tokens per second of concurrent requests beside bare batched decode",
  usage: "[--model FILE | --shape NAME --format FORMAT] [--batch N] [--tokens N] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file instead of random weights" },
    { name: "shape", value: "NAME", help: "shapes of the model with random weights", default: "llama-1b" },
    { name: "format", value: "FORMAT", help: "its weight format", default: "q4_k" },
    { name: "batch", value: "N", help: "requests at once", default: "32" },
    { name: "tokens", value: "N", help: "tokens of each answer", default: "64" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each; the medians count", default: "5" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "json", help: "one JSON object instead of text" },
  ],
  run: runThroughput,
};

async function runThroughput(args: Arguments): Promise<number> {
  const number = (name: string, max: number) => numberOption(args, name, { min: 1, max, integer: true });
  const batch = number("batch", 512)!, tokens = number("tokens", 4096)!, repeat = number("repeat", 1000)!;
  const threads = number("threads", 1024);
  const chosen = args.values.get("model");
  const path = chosen !== undefined
    ? await resolveModelFile(chosen)
    : await randomModelFile(args.values.get("shape")!, args.values.get("format")!);
  const contextLength = PROMPT + tokens + 16;
  const sizes = { threads, contextLength, kvTokens: batch * (contextLength + 16) };
  using file = await openGguf(path);
  using runner = await loadModelRunner(file, { ...sizes, logitsRowsMax: batch });
  await using model = await loadModel(path, {
    ...sizes,
    sequencesMax: batch,
    prefixCache: false,
    speculation: "off",
  });
  const bare = prepare(runner, { test: "decode", tokens: tokens - 1, batch, depth: PROMPT });
  const ours: number[] = [], bares: number[] = [];
  for (let round = -1; round < repeat; round++) {
    const bareSpeed = batch * (tokens - 1) / bare.run();
    const speed = await decodeSpeed(model, batch, tokens, round);
    if (round < 0) continue; // warms caches and clocks
    bares.push(bareSpeed);
    ours.push(speed);
  }
  const engine = median(ours), decode = median(bares);
  if (args.switches.has("json")) {
    console.log(
      JSON.stringify({
        model: path,
        batch,
        tokens,
        engine,
        bare: decode,
        share: engine / decode,
        ours,
        bares,
      }),
    );
  } else {
    console.log(
      `${path}, ${batch} requests of ${PROMPT} + ${tokens} tokens, medians of ${repeat} runs in turns:\n` +
        `engine ${engine.toFixed(1)} tokens/s, bare decode ${decode.toFixed(1)} tokens/s: ` +
        `${(100 * engine / decode).toFixed(1)} %`,
    );
  }
  return 0;
}

if (import.meta.main) await runScript(COMMAND);
