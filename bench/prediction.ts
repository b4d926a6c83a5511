/**
 * How well a server's latencies and throughput are predicted: the step model is fitted under one load, then
 * loads that it has not seen are simulated and measured.
 * @module
 */

import { DEFAULT_CLASSES } from "../scheduler/mod.ts";
import { serve } from "../mod.ts";
import { type Command, numberOption } from "../src/cli/command.ts";
import type { Arguments } from "../src/cli/command.ts";
import { renderTable } from "../src/cli/table.ts";
import { resolveModelFile } from "../src/cli/model_option.ts";
import { predictionOf } from "../src/capacity/prediction.ts";
import { simulate, type SimulatedServer } from "../src/capacity/simulate.ts";
import { type StepModel, withWorkers, type WorkerLayout } from "../src/capacity/step_model.ts";
import { type Arrival, parseClasses, poissonArrivals } from "../src/loadtest/arrivals.ts";
import { ascending, quantile } from "../src/loadtest/quantile.ts";
import { type Target, tokenAlphabet } from "../src/loadtest/target.ts";
import { LoadThread } from "./prediction/load.ts";
import type { FittedStepTime } from "../src/protocol/stats.ts";
import { TOKEN_BENDS } from "../src/protocol/token_time.ts";
import { runScript } from "./support/script.ts";

const COMMAND: Command = {
  name: "prediction",
  summary: "predicted against measured latencies and throughput on loads that the model has not seen",
  usage: "deno task run bench/prediction.ts [options]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "PATH", help: "model to serve", default: "demo" },
    { name: "requests", value: "N", help: "requests of each run", default: "500" },
    { name: "repeats", value: "N", help: "rounds of fitting and of all points; medians count", default: "3" },
    { name: "points", value: "N", help: "so many of the eight points", default: "8" },
    {
      name: "lengths",
      value: "FACTOR",
      help: "times the lengths of prompts and answers: shorter for slow models",
      default: "1",
    },
    { name: "json", help: "one JSON object a line instead of a table" },
  ],
  run: runPrediction,
};

/** A load that is held out. `load`: share of what the machine can do. */
interface Point {
  readonly name: string;
  readonly layout: WorkerLayout;
  readonly mix: string;
  readonly load: number;
}

const ONE: WorkerLayout = { workers: 1, threadsPerWorker: 1 };
const TWO: WorkerLayout = { workers: 2, threadsPerWorker: 1 };
/** Under which the model is fitted. */
const CALIBRATION = { layout: ONE, mix: "interactive:0.7:64/32,batch:0.3:128/48", load: 0.5 };
const POINTS: readonly Point[] = [
  { name: "low", layout: ONE, mix: "interactive:1:64/32", load: 0.3 },
  { name: "middle", layout: ONE, mix: "interactive:1:64/32", load: 0.6 },
  { name: "high", layout: ONE, mix: "interactive:1:64/32", load: 0.8 },
  { name: "long prompts", layout: ONE, mix: "interactive:1:160/8", load: 0.6 },
  { name: "long answers", layout: ONE, mix: "interactive:1:16/96", load: 0.6 },
  { name: "classes", layout: ONE, mix: "interactive:0.5:48/24,batch:0.5:144/64", load: 0.7 },
  { name: "two workers", layout: TWO, mix: "interactive:1:64/32", load: 0.4 },
  { name: "two, mixed", layout: TWO, mix: "interactive:0.8:32/48,interactive:0.2:160/16", load: 0.5 },
];

const SERVER = { batchTokensMax: 512, sequencesMax: 32, kvTokens: 16_384, prefixCache: true } as const;
const LONE_REQUESTS = 24;
const SEED = 5;

/** A server in this process, and how to load it. */
interface Bed extends AsyncDisposable {
  run(arrivals: readonly Arrival[]): Promise<Awaited<ReturnType<LoadThread["send"]>>>;
  stepTime(): Promise<Omit<StepModel, "requestMs" | "tokenMs">>;
}

async function openBed(model: string, { workers, threadsPerWorker }: WorkerLayout): Promise<Bed> {
  const server = serve({
    ...SERVER,
    model,
    port: 0,
    workers,
    threads: workers * threadsPerWorker,
    canaryMs: 0,
    speculation: "off", // predictions know of no guesses
    // Nothing is refused: what is late is late.
    classes: DEFAULT_CLASSES.map((each) => ({ ...each, ttftSloMs: undefined })),
  });
  const loaded = await server.ready;
  const target: Target = {
    baseUrl: `${server.url}/v1`,
    model: "",
    api: "completions",
    sendsClass: true,
    ignoreEnd: true,
  };
  const names = await (await fetch(`${server.url}/v1/models`)).json();
  const named = { ...target, model: names.data[0].id };
  const alphabet = await tokenAlphabet(named);
  const thread = new LoadThread();
  let nonce = 0;
  return {
    run: (arrivals) => thread.send({ arrivals, target: named, alphabet, nonce: ++nonce }),
    stepTime: async () => {
      const { workers: stats } = await loaded.stats();
      const mean = (read: (stepTime: (typeof stats)[0]["stepTime"]) => number) =>
        stats.reduce((sum, { stepTime }) => sum + read(stepTime), 0) / stats.length;
      const fitted = (read: (fit: FittedStepTime) => number) =>
        mean(({ fit }) => {
          if (fit === null) throw new Error("a worker has computed too few steps to be predicted");
          return read(fit);
        });
      return {
        fixedMs: fitted((fit) => fit.fixedMs),
        msPerToken: fitted((fit) => fit.msPerToken),
        bends: TOKEN_BENDS.map((upTo, i) => ({ upTo, msPerToken: fitted((fit) => fit.bends[i].msPerToken) })),
        msPerKvEntry: fitted((fit) => fit.msPerKvEntry),
        msPerRow: fitted((fit) => fit.msPerRow),
        relativeError: fitted((fit) => fit.relativeError),
        stretch: fitted((fit) => fit.stretch),
        betweenMs: mean((each) => each.betweenMs),
        betweenMsPerSequence: mean((each) => each.betweenMsPerSequence),
      };
    },
    async [Symbol.asyncDispose]() {
      thread[Symbol.dispose]();
      await server.shutdown();
    },
  };
}

/** What a server takes beside its steps, from requests that are alone. */
async function overheadOf(bed: Bed): Promise<{ ttftMs: number }> {
  const ttfts: number[] = [];
  for (let i = 0; i < LONE_REQUESTS; i++) {
    const [record] = await bed.run([{ atMs: 0, class: "interactive", promptTokens: 64, maxTokens: 4 }]);
    ttfts.push(record.partsMs[0] - record.sentMs);
  }
  return { ttftMs: quantile(ascending(ttfts), 0.5) };
}

/** The same classes with prompts and answers so many times as long. */
function scaledMix(mix: string, factor: number): string {
  const times = (tokens: string) => Math.max(2, Math.round(Number(tokens) * factor));
  return mix.replace(/:(\d+)\/(\d+)/g, (_, input, output) => `:${times(input)}/${times(output)}`);
}

function arrivalsOf(mix: string, perSecond: number, requests: number, seed: number): Arrival[] {
  const classes = parseClasses(mix);
  return poissonArrivals(classes, { perSecond, seconds: 3 * requests / perSecond, seed }).slice(0, requests);
}

/** Requests per second that a simulated server ends with more of them than it can do. */
function capacityOf(server: SimulatedServer, mix: string): number {
  const { requestsPerSecond, requests, refused } = predictionOf(
    simulate(arrivalsOf(mix, 1e5, 400, SEED), server),
  );
  // Those for whom its queue has no room are none that it does.
  return requestsPerSecond * (1 - refused / requests);
}

function serverOf(step: StepModel, { workers }: WorkerLayout): SimulatedServer {
  const classes = DEFAULT_CLASSES.map((each) => ({ ...each, ttftSloMs: undefined }));
  return { ...SERVER, step, workers, classes };
}

async function calibrate(model: string, requests: number, lengths: number): Promise<StepModel> {
  await using bed = await openBed(model, CALIBRATION.layout);
  const { load } = CALIBRATION;
  const mix = scaledMix(CALIBRATION.mix, lengths);
  // First at a rate that any machine can do, to know what this one can.
  let step: StepModel = { ...await warm(bed), requestMs: 0, tokenMs: 0 };
  const perSecond = load * capacityOf(serverOf(step, CALIBRATION.layout), mix);
  await bed.run(arrivalsOf(mix, perSecond, requests, SEED));
  step = { ...await bed.stepTime(), requestMs: 0, tokenMs: 0 };
  const { ttftMs } = await overheadOf(bed);
  const lone = simulate(
    [{ atMs: 0, class: "interactive", promptTokens: 64, maxTokens: 4 }],
    serverOf({ ...step, relativeError: 0, stretch: 1 }, ONE),
  );
  const overheadMs = Math.max(0, ttftMs - lone[0].partsMs[0]);
  return { ...step, requestMs: overheadMs * 0.7, tokenMs: overheadMs * 0.3 };
}

/** Requests of many lengths, some together and some alone, as far as any machine can do them. */
async function warm(bed: Bed) {
  for (const gapMs of [20, 150]) {
    await bed.run(
      Array.from({ length: 24 }, (_, i) => ({
        atMs: gapMs * i,
        class: "interactive",
        promptTokens: 20 + 5 * i,
        maxTokens: 24,
      })),
    );
  }
  return await bed.stepTime();
}

interface Figures {
  readonly ttftP50: number;
  readonly ttftP95: number;
  readonly itlP50: number;
  readonly itlP95: number;
  readonly perSecond: number;
}

const FIGURES = ["ttftP50", "ttftP95", "itlP50", "itlP95", "perSecond"] as const;

function figuresOf(records: Parameters<typeof predictionOf>[0]): Figures {
  const { ttftMs, itlMs, answerTokensPerSecond } = predictionOf(records);
  return {
    ttftP50: ttftMs.p50!,
    ttftP95: ttftMs.p95!,
    itlP50: itlMs.p50!,
    itlP95: itlMs.p95!,
    perSecond: answerTokensPerSecond,
  };
}

function medians(runs: readonly Figures[]): Figures {
  return Object.fromEntries(
    FIGURES.map((name) => [name, quantile(ascending(runs.map((each) => each[name])), 0.5)]),
  ) as unknown as Figures;
}

/** Half of what lies between the least and the most, as a share of the median. */
function spreads(runs: readonly Figures[]): Figures {
  const middle = medians(runs);
  return Object.fromEntries(FIGURES.map((name) => {
    const values = runs.map((each) => each[name]);
    return [name, (Math.max(...values) - Math.min(...values)) / 2 / middle[name]];
  })) as unknown as Figures;
}

async function runPrediction(args: Arguments): Promise<number> {
  const number = (name: string, min: number, max: number) =>
    numberOption(args, name, { min, max, integer: true })!;
  const requests = number("requests", 10, 1e6),
    repeats = number("repeats", 1, 100),
    count = number("points", 1, POINTS.length);
  const asked = args.values.get("model")!;
  const model = asked === "demo" ? asked : await resolveModelFile(asked);
  const lengths = numberOption(args, "lengths", { min: 0.01, max: 100, integer: false })!;
  const points = POINTS.slice(0, count).map((each) => ({ ...each, mix: scaledMix(each.mix, lengths) }));
  const tell = (what: Record<string, unknown>) => {
    if (args.switches.has("json")) console.log(JSON.stringify(what));
  };
  const rounds: Outcome[][] = [];
  for (let round = 0; round < repeats; round++) {
    // A machine that others use is another one each quarter of an hour: the model is fitted beside each round.
    const step = await calibrate(model, requests, lengths);
    console.error(JSON.stringify(step));
    const rates = rounds[0]?.map(({ perSecond }) => perSecond);
    rounds.push(await runRound({ model, step, points, requests, seed: 100 + round, rates, tell }));
  }
  const rows = points.map(({ name }, i) => {
    const runs = rounds.map((round) => round[i]);
    const predicted = medians(runs.map((run) => run.predicted));
    const measured = runs.map((run) => run.measured), middle = medians(measured), spread = spreads(measured);
    const error = (figure: keyof Figures) => predicted[figure] / middle[figure] - 1;
    const errors = Object.fromEntries(FIGURES.map((figure) => [figure, error(figure)]));
    tell({ name, perSecond: runs[0].perSecond, predicted, measured: middle, errors, spread });
    const cells = FIGURES.map((figure) =>
      `${predicted[figure].toFixed(1)}/${middle[figure].toFixed(1)} ${(100 * error(figure)).toFixed(0)} % ±${
        (100 * spread[figure]).toFixed(0)
      }`
    );
    return [name, runs[0].perSecond.toFixed(1), ...cells];
  });
  if (!args.switches.has("json")) {
    console.log(
      renderTable(["point", "requests/s", "TTFT p50", "TTFT p95", "ITL p50", "ITL p95", "tokens/s"], rows),
    );
  }
  return 0;
}

/** A point once. */
interface Outcome {
  readonly perSecond: number;
  readonly predicted: Figures;
  readonly measured: Figures;
}

interface RoundOptions {
  readonly model: string;
  readonly step: StepModel;
  readonly points: readonly Point[];
  readonly requests: number;
  readonly seed: number;
  /** Those of the first round; undefined in it. */
  readonly rates: readonly number[] | undefined;
  readonly tell: (what: Record<string, unknown>) => void;
}

/** All points once, in their order. */
async function runRound(
  { model, step, points, requests, seed, rates, tell }: RoundOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const layout of [ONE, TWO]) {
    const own = points.filter((point) => point.layout === layout);
    if (own.length === 0) continue;
    const server = serverOf(withWorkers(step, { matrixBytes: 0 }, ONE, layout, (threads) => threads), layout);
    await using bed = await openBed(model, layout);
    await warm(bed);
    for (const { name, mix, load } of own) {
      const perSecond = rates?.[outcomes.length] ?? load * capacityOf(server, mix);
      const arrivals = arrivalsOf(mix, perSecond, requests, seed);
      const predicted = figuresOf(simulate(arrivals, server)), measured = figuresOf(await bed.run(arrivals));
      outcomes.push({ perSecond, predicted, measured });
      tell({ name, round: seed, perSecond, predicted, measured, after: await bed.stepTime() });
    }
  }
  return outcomes;
}

if (import.meta.main) await runScript(COMMAND);
