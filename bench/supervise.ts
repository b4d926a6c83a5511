/**
 * An engine in a process of its own. `--mode kill`: its process is killed again and again under load; what do
 * clients see of that? `--mode cost`: tokens per second beside those of an engine in a thread, in turns.
 *
 * deno task run bench/supervise.ts [--mode kill] [--seconds 300] [--every 10] [--streams 8]
 * deno task run bench/supervise.ts --mode cost --model smollm2 [--streams 32] [--repeat 4]
 * @module
 */

import { loadModel, type Model, serve } from "../mod.ts";
import { median } from "../src/cli/bench/measure.ts";
import { type Arguments, type Command, numberOption, UsageError } from "../src/cli/command.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { askAll, type Asked, askUntil } from "./supervise/answers.ts";
import { killEvery } from "./supervise/killer.ts";
import { DECODE_PROMPT, decodeSpeed } from "./support/decode_speed.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/supervise.ts",
  summary: "an engine in a process of its own: killed under load, or its cost",
  usage:
    "[--mode kill|cost] [--model FILE] [--streams N] [--tokens N] [--seconds S] [--every S] [--repeat N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "mode", value: "kill|cost", help: "what is measured", default: "kill" },
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file", default: "demo" },
    { name: "streams", value: "N", help: "requests at the same time; default: 8, for the cost 32" },
    { name: "tokens", value: "N", help: "tokens of each answer", default: "64" },
    {
      name: "requests",
      value: "N",
      help: "kill: different requests, which come again and again",
      default: "48",
    },
    { name: "seconds", value: "S", help: "kill: how long", default: "300" },
    { name: "every", value: "S", help: "kill: time between two kills", default: "10" },
    { name: "repeat", alias: "r", value: "N", help: "cost: runs of each", default: "20" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
  ],
  run: runSupervise,
};

async function runSupervise(args: Arguments): Promise<number> {
  const mode = args.values.get("mode");
  if (mode === "kill") return await runKill(args);
  if (mode === "cost") return await runCost(args);
  throw new UsageError(`--mode takes kill or cost, current value is ${mode}`);
}

function count(args: Arguments, name: string, max: number): number | undefined {
  return numberOption(args, name, { min: 1, max, integer: true });
}

async function runKill(args: Arguments): Promise<number> {
  const seconds = numberOption(args, "seconds", { min: 1, max: 86_400 })!;
  const everyMs = numberOption(args, "every", { min: 0.1, max: 3600 })! * 1000;
  const streams = count(args, "streams", 64) ?? 8;
  const asked: Asked = { requests: count(args, "requests", 10_000)!, tokens: count(args, "tokens", 4096)! };
  const model = await resolveModelFile(args.values.get("model")!);
  const options = { model, port: 0, canaryMs: 0, threads: count(args, "threads", 1024) } as const;
  let expected: string[];
  {
    await using server = serve(options);
    await server.ready;
    expected = await askAll(server.url, asked, streams);
  }
  await using server = serve({ ...options, isolation: "process" });
  const supervised = await server.ready;
  const untilMs = performance.now() + seconds * 1000;
  const killer = killEvery(everyMs, () => supervised.health(), untilMs);
  const tally = await askUntil(server.url, asked, streams, untilMs, expected);
  const { kills, recoveryMs } = await killer.stop();
  const { restarts, quarantined } = await supervised.stats();
  console.log(
    JSON.stringify({ model, seconds, everyMs, streams, ...tally, kills, restarts, quarantined, recoveryMs }),
  );
  return tally.right === tally.sent && kills > 0 ? 0 : 1;
}

async function runCost(args: Arguments): Promise<number> {
  const streams = count(args, "streams", 512) ?? 32;
  const tokens = count(args, "tokens", 4096)!, repeat = count(args, "repeat", 1000)!;
  const path = await resolveModelFile(args.values.get("model")!);
  const contextLength = DECODE_PROMPT + tokens + 16;
  const options = {
    threads: count(args, "threads", 1024),
    contextLength,
    kvTokens: streams * (contextLength + 16),
    sequencesMax: streams,
    prefixCache: false,
  } as const;
  await using thread = await loadModel(path, options);
  await using process = await loadModel(path, { ...options, isolation: "process" });
  const speeds: Record<"thread" | "process", number[]> = { thread: [], process: [] };
  for (let round = -1; round < repeat; round++) {
    const ofThread = await decodeSpeed(thread, streams, tokens, round);
    const ofProcess = await decodeSpeed(process, streams, tokens, round);
    if (round < 0) continue; // warms caches and clocks
    speeds.thread.push(ofThread);
    speeds.process.push(ofProcess);
  }
  const shares = speeds.process.map((speed, i) => speed / speeds.thread[i]);
  const between = async (model: Model) => (await model.stats()).workers[0].stepTime.betweenMs;
  console.log(
    JSON.stringify({
      ...{ model: path, streams, tokens, repeat },
      tokensPerSecond: summarize(speeds.thread),
      tokensPerSecondInProcess: summarize(speeds.process),
      // Others' work on the machine only makes slower: the best of many runs tells most where it is not quiet.
      share: { ...summarize(shares), best: Math.max(...speeds.process) / Math.max(...speeds.thread) },
      betweenStepsMs: { thread: await between(thread), process: await between(process) },
    }),
  );
  return 0;
}

function summarize(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  return { quarter: at(0.25), median: median(sorted), threeQuarters: at(0.75), best: at(1) };
}

if (import.meta.main) await runScript(COMMAND);
