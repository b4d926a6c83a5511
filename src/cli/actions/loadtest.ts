/** What `kumi loadtest` does. @module */

import { type Arrival, parseClasses, poissonArrivals } from "../../loadtest/arrivals.ts";
import { findRate } from "../../loadtest/find_rate.ts";
import { type LoadOptions, sendLoad, warmUp } from "../../loadtest/generator.ts";
import { PromptMaker, type Prompts, TokenPromptMaker } from "../../loadtest/prompts.ts";
import { drawLoad, renderFoundRate, renderSummary } from "../loadtest_report.ts";
import type { RequestRecord } from "../../loadtest/send.ts";
import { isGood, type Objectives, summarize } from "../../loadtest/summary.ts";
import { baseUrlOf, calibrate, firstModel, type Target, tokenAlphabet } from "../../loadtest/target.ts";
import { playTraffic } from "../../traffic/play.ts";
import { readTraffic } from "../../traffic/read.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { readNamed, writeNamed } from "../named_file.ts";
import { ProgressLine } from "../progress.ts";
import { noteSkipped } from "../skipped_lines.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";

/** Loads a server and tells what it kept. */
export async function runLoadtest(args: Arguments): Promise<number> {
  const numbers = readNumbers(args);
  const arrivalsAt = await arrivalSource(args, numbers);
  const objectives = readObjectives(args);
  using interrupt = interruptible();
  const { signal } = interrupt;
  const target = await readTarget(args, signal);
  const prompts = await createPrompts(args, target, numbers, signal);
  const { inFlightMax, timeoutMs, rate } = numbers;
  const load = { target, prompts, inFlightMax, timeoutMs };
  await warmUp(arrivalsAt(rate).slice(0, numbers.warmUps), { ...load, signal });
  const run = { args, numbers, objectives, load, signal, arrivalsAt };
  return args.switches.has("find-rate") ? await searchRate(run, rate) : await loadOnce(run, rate);
}

async function createPrompts(
  args: Arguments,
  target: Target,
  { prefixTokens }: Numbers,
  signal: AbortSignal,
): Promise<Prompts> {
  const nonce = crypto.getRandomValues(new Int32Array(1))[0];
  if (!args.switches.has("token-prompts")) {
    return new PromptMaker(await calibrate(target, nonce, signal), { nonce, prefixTokens });
  }
  if (target.api !== "completions") throw new UsageError("--token-prompts needs --api completions");
  return new TokenPromptMaker(await tokenAlphabet(target, signal), { nonce, prefixTokens });
}

/** The numbers among the options: what is wrong with one is said before a server is asked or a file read. */
function readNumbers(args: Arguments) {
  const number = (name: string, min: number, max: number, integer = true) =>
    numberOption(args, name, { min, max, integer });
  return {
    rate: number("rate", 1e-6, 1e6, false)!,
    seconds: number("duration", 0.01, 1e7, false),
    seed: number("seed", 0, 2 ** 31)!,
    speed: number("speed", 1e-6, 1e6, false)!,
    users: number("users", 1e-6, 1e4, false)!,
    promptMax: number("prompt-max", 1, 1e9),
    answerMax: number("answer-max", 1, 1e9),
    prefixTokens: number("shared-prefix", 0, 1e6)!,
    inFlightMax: number("max-in-flight", 1, 65_536)!,
    timeoutMs: 1000 * number("timeout", 0.001, 86_400, false)!,
    warmUps: number("warm-up", 0, 1000)!,
    share: number("share", 0.01, 1, false)!,
    precision: number("precision", 0.001, 1, false)!,
  };
}

type Numbers = ReturnType<typeof readNumbers>;

interface Run {
  readonly args: Arguments;
  readonly numbers: Numbers;
  readonly objectives: Objectives;
  readonly load: Omit<LoadOptions, "signal">;
  readonly signal: AbortSignal;
  /** The requests at so many per second; a trace has its own rate. */
  readonly arrivalsAt: (perSecond: number) => Arrival[];
}

async function loadOnce({ args, objectives, load, signal, arrivalsAt }: Run, rate: number): Promise<number> {
  const arrivals = arrivalsAt(rate);
  const records = await sendShowing(arrivals, { ...load, signal });
  const summary = summarize(records, objectives);
  const { target } = load;
  if (args.switches.has("json")) {
    const asked = { url: target.baseUrl, model: target.model, due: arrivals.length, objectives };
    printLine(JSON.stringify({ ...asked, ...summary }));
  } else {
    if (signal.aborted) printLine(`stopped after ${records.length} of ${arrivals.length} requests`);
    printLine(renderSummary(summary, objectives));
  }
  const svg = args.values.get("svg");
  if (svg !== undefined) {
    if (summary.all.ttftMs.p50 === null) printNote("kumi: no answer has begun, there is nothing to draw");
    else await writeNamed(svg, drawLoad(records, objectives, oneLine(target.model)), "svg");
  }
  return signal.aborted ? 130 : 0;
}

/** Time that a server has between two rates to let go of what was cut off. */
const REST_MS = 1000;

async function searchRate(
  { args, numbers, objectives, load, signal, arrivalsAt }: Run,
  start: number,
): Promise<number> {
  const { share, precision } = numbers;
  const measure = async (perSecond: number) => {
    const arrivals = arrivalsAt(perSecond);
    if (arrivals.length === 0) throw new UsageError("No request fell into --duration; make it longer");
    const giveUp = new AbortController();
    let bad = 0;
    const onEnd = (record: RequestRecord) => {
      if (record.outcome === "cut" || isGood(record, objectives)) return;
      if (++bad > (1 - share) * arrivals.length + 1e-9) giveUp.abort();
    };
    await sendShowing(arrivals, { ...load, onEnd, signal: AbortSignal.any([signal, giveUp.signal]) });
    signal.throwIfAborted();
    if (giveUp.signal.aborted) await new Promise((resolve) => setTimeout(resolve, REST_MS));
    return 1 - bad / arrivals.length;
  };
  const found = await findRate(measure, { start, share, precision, min: start / 1024, max: start * 1024 });
  if (args.switches.has("json")) printLine(JSON.stringify({ ...found, share, objectives }));
  else printLine(renderFoundRate(found, share));
  return 0;
}

async function sendShowing(arrivals: readonly Arrival[], load: LoadOptions): Promise<RequestRecord[]> {
  using bar = new ProgressLine("requests", String);
  return await sendLoad(arrivals, {
    ...load,
    progress: (sent, inFlight) => bar.update(sent, arrivals.length, `${inFlight} under way`),
  });
}

/** What is sent at a rate, by the options. */
async function arrivalSource(
  args: Arguments,
  { seed, seconds, speed, users, promptMax, answerMax }: Numbers,
): Promise<(perSecond: number) => Arrival[]> {
  const name = args.switches.has("kumi") ? "interactive" : "default";
  const classes = usage(() => parseClasses(args.values.get("class") ?? `${name}:1:64/64`));
  const path = args.values.get("trace");
  if (path === undefined) {
    return (perSecond) => usage(() => poissonArrivals(classes, { perSecond, seconds: seconds ?? 30, seed }));
  }
  const text = await readNamed(path, "trace");
  const traffic = usage(() => readTraffic(text));
  noteSkipped(traffic);
  const arrivals = playTraffic(traffic, { speed, users, seconds, promptMax, answerMax, classes, seed });
  return () => arrivals;
}

function readObjectives(args: Arguments): Objectives {
  const itlStat = args.values.get("slo-itl-stat")!;
  if (itlStat !== "mean" && itlStat !== "p95") {
    throw new UsageError(`--slo-itl-stat takes mean or p95, current value is ${itlStat}`);
  }
  const ms = (name: string) => numberOption(args, name, { min: 0.001, max: 1e9 });
  const objectives: Objectives = { ttftMs: ms("slo-ttft"), itlMs: ms("slo-itl"), itlStat };
  if (args.switches.has("find-rate")) {
    if (args.values.has("trace")) {
      throw new UsageError("--find-rate looks for a Poisson rate, it takes no --trace");
    }
    if (objectives.ttftMs === undefined && objectives.itlMs === undefined) {
      throw new UsageError("--find-rate needs --slo-ttft, --slo-itl or both");
    }
  }
  return objectives;
}

async function readTarget(args: Arguments, signal: AbortSignal): Promise<Target> {
  const api = args.values.get("api")!;
  if (api !== "chat" && api !== "completions") {
    throw new UsageError(`--api takes chat or completions, current value is ${api}`);
  }
  const baseUrl = usage(() => baseUrlOf(args.positional[0]));
  const apiKey = Deno.env.get("KUMI_API_KEY") || undefined;
  return {
    baseUrl,
    apiKey,
    api,
    model: args.values.get("model") ?? await firstModel(baseUrl, apiKey, signal),
    sendsClass: args.switches.has("kumi"),
    ignoreEnd: args.switches.has("ignore-eos"),
  };
}

/** Errors of what the caller wrote are printed as such. */
function usage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
