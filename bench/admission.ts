/**
 * How good a real engine's refusals are when traffic changes: the traffics of `deno task sim -- --admission`,
 * scaled to what this machine does with the model. A share of all requests is taken even where it would be
 * refused: of those is known when their first token would have come. What was taken is right if that came in
 * the time that the class promises, a refusal if it would have come later than 0.8 times that.
 *
 * deno task run bench/admission.ts [--model demo] [--share 0.05] [--only TEXT] [--seeds 1]
 * @module
 */

import { loadModel, type Model } from "../mod.ts";
import { DEFAULT_CLASSES, type LatencyClass } from "../scheduler/mod.ts";
import { type Arguments, type Command, numberOption } from "../src/cli/command.ts";
import { RefusedError } from "../src/protocol/errors.ts";
import { addConfusions, type Confusion, LATE_SHARE } from "../tests/sim/confusion.ts";
import {
  CHAT,
  createTraffic,
  MAX_BATCH,
  requestMs,
  type Traffic,
  TRAFFIC_NAMES,
  type TrafficMachine,
  type TrafficRequest,
} from "../tests/sim/traffic.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "bench/admission.ts",
  summary: "refusals and acceptances judged on a real engine while traffic changes",
  usage: "[--model PATH|hf:…|demo] [--share SHARE] [--only TEXT] [--seeds N] [--seed N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file, or demo", default: "demo" },
    { name: "share", value: "SHARE", help: "of the requests are taken in any case", default: "0.05" },
    { name: "only", value: "TEXT", help: "changes whose names contain this", default: "" },
    { name: "seeds", value: "N", help: "runs of each change", default: "1" },
    { name: "seed", value: "N", help: "of the first run", default: "1" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
  ],
  run: runAdmission,
};

/** For measuring how fast the machine is: so many requests, all at the same time. */
const CALIBRATION = 400;
/** All of the demo model. */
const CONTEXT = 512;
const QUEUE_LIMIT = { requests: 100_000, tokens: 1e9 };

interface Bench {
  readonly path: string;
  readonly share: number;
  readonly threads?: number;
}

async function runAdmission(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number) => numberOption(args, name, { min, max });
  const bench = {
    path: args.values.get("model")!,
    share: number("share", 0.001, 1)!,
    threads: number("threads", 1, 1024),
  };
  const machine = await calibrate(bench);
  const { ttftSloMs } = createTraffic("twice what it bears", 0, machine);
  console.log(
    `a step takes ${machine.a.toFixed(2)} ms and ${(1000 * machine.b).toFixed(0)} µs a token; ` +
      `the urgent class promises ${ttftSloMs.toFixed(0)} ms`,
  );
  console.log(rowOf("", ["taken", "in time", "refused", "judged", "right"]));
  const bearable: Confusion[] = [], others: Confusion[] = [];
  const first = number("seed", 0, 1e9)!, seeds = number("seeds", 1, 1000)!;
  for (const name of TRAFFIC_NAMES.filter((each) => each.includes(args.values.get("only")!))) {
    const runs: Confusion[] = [];
    const { workers, isBearable } = createTraffic(name, first, machine);
    if (workers > navigator.hardwareConcurrency) {
      console.log(`${name}: skipped, it needs a CPU for each worker`);
      continue;
    }
    for (let seed = first; seed < first + seeds; seed++) {
      runs.push(await judge(bench, createTraffic(name, seed, machine), seed));
    }
    (isBearable ? bearable : others).push(...runs);
    show(name, runs);
  }
  show("all that are below capacity", bearable);
  show("all others", others);
  return 0;
}

function rowOf(title: string, cells: readonly string[]): string {
  return title.padEnd(40) + cells.map((cell) => cell.padStart(10)).join("");
}

function show(title: string, runs: readonly Confusion[]): void {
  const { taken, inTime, refused, judged, late } = addConfusions(runs);
  const share = (part: number, all: number) => all === 0 ? "–" : `${(100 * part / all).toFixed(1)} %`;
  console.log(
    rowOf(title, [`${taken}`, share(inTime, taken), `${refused}`, `${judged}`, share(late, judged)]),
  );
}

function open({ path, share, threads }: Bench, ttftSloMs: number | undefined, workers = 1, seed = 0) {
  const classes: LatencyClass[] = DEFAULT_CLASSES.map((each) => ({
    ...each,
    maxBatch: MAX_BATCH,
    maxWaitMs: Math.min(each.maxWaitMs, 200),
    ttftSloMs: each.ttftSloMs === undefined ? undefined : ttftSloMs,
    queueLimit: QUEUE_LIMIT,
  }));
  return loadModel(path, {
    classes,
    workers,
    threads,
    contextLength: CONTEXT,
    kvTokens: 131_072,
    sequencesMax: 2 * MAX_BATCH,
    speculation: "off", // random weights repeat themselves
    ...ttftSloMs === undefined ? {} : { overrule: { share, seed } },
  });
}

/**
 * What a step costs as its model says, and a token so much that the machine bears what it was seen to bear.
 */
async function calibrate(bench: Bench): Promise<TrafficMachine> {
  await using model = await open(bench, undefined);
  const requests = createTraffic("twice what it bears", 0).requests.slice(0, CALIBRATION);
  const startedAt = performance.now();
  await Promise.all(requests.map((request) => send(model, request, 1)));
  const eachMs = (performance.now() - startedAt) / requests.length;
  const { fixedMs: a } = (await model.stats()).workers[0].stepTime;
  const tokensMs = eachMs - requestMs(CHAT, { a, b: 0, betweenMs: 0 });
  return { a, b: Math.max(tokensMs, 0) / (CHAT.prompt + CHAT.output), betweenMs: 0 };
}

interface Outcome {
  readonly ttftMs?: number;
  readonly isRefused: boolean;
  /** Whether it was taken although it would have been refused. */
  readonly isOverruled: boolean;
}

async function judge(bench: Bench, traffic: Traffic, seed: number): Promise<Confusion> {
  await using model = await open(bench, traffic.ttftSloMs, traffic.workers, seed);
  // So that steps are measured before it begins.
  await Promise.all(
    createTraffic("one user, then a burst", 99).requests.slice(0, 16).map((request) =>
      send(model, { ...request, tokens: request.tokens.map((word) => word + 1e6) }, seed)
    ),
  );
  const startedAt = performance.now();
  const outcomes: Promise<Outcome>[] = [];
  for (const request of traffic.requests) {
    const leftMs = startedAt + request.atMs - performance.now();
    if (leftMs > 1) await new Promise((resolve) => setTimeout(resolve, leftMs));
    outcomes.push(send(model, request, seed));
  }
  const all = (await Promise.all(outcomes)).filter((_, i) => traffic.requests[i].class === "interactive");
  const taken = all.filter(({ isRefused, isOverruled }) => !isRefused && !isOverruled);
  const overruled = all.filter(({ isOverruled }) => isOverruled);
  return {
    taken: taken.length,
    inTime: taken.filter(({ ttftMs }) => ttftMs! <= traffic.ttftSloMs).length,
    refused: all.filter(({ isRefused }) => isRefused).length + overruled.length,
    judged: overruled.length,
    late: overruled.filter(({ ttftMs }) => ttftMs! > LATE_SHARE * traffic.ttftSloMs).length,
  };
}

/**
 * One of these is in nearly each token: with them, or the model's end, an answer ends by itself as soon as it
 * may.
 */
const STOPS = [..." \netaoinsrhdl.,u"];

/**
 * Sends a request that ends by itself when its length is reached, as answers do whose lengths nobody knows.
 */
async function send(model: Model, request: TrafficRequest, seed: number): Promise<Outcome> {
  const { maxTokens, outputTokens, class: name } = request;
  const { vocab } = model.info;
  const sentAt = performance.now();
  let ttftMs: number | undefined;
  const ends = outputTokens < maxTokens ? { minTokens: outputTokens - 1, stop: STOPS } : { ignoreEnd: true };
  try {
    const { overruled } = await model.generate(request.tokens.map((word) => tokenOf(word, seed, vocab)), {
      ...{ maxTokens, class: name, temperature: 0, ...ends },
      onTokens: () => {
        ttftMs ??= performance.now() - sentAt;
      },
    }).result;
    return { ttftMs, isRefused: false, isOverruled: overruled !== undefined };
  } catch (error) {
    if (error instanceof RefusedError) return { isRefused: true, isOverruled: false };
    throw error;
  }
}

/** The same word is the same token, in each run another one. */
function tokenOf(word: number, seed: number, vocab: number): number {
  const hash = Math.imul(Math.imul(word + 1, 0x9e3779b1) ^ (seed + 1), 0x85ebca6b);
  return (hash >>> 8) % vocab;
}

if (import.meta.main) await runScript(COMMAND);
