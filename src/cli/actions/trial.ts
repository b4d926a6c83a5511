/** What `kumi trial` does. @module */

import { resolve } from "node:path";
import { formatCpuList } from "../../ffi/cpu_list.ts";
import { isHubReference } from "../../hub/reference.ts";
import { namedModel } from "../../hub/named_models.ts";
import { VERSION } from "../../protocol/version.ts";
import { openEnergyCounter } from "../../energy/counter.ts";
import { trialCost } from "../../trial/cost.ts";
import { assembleReport } from "../../trial/assemble.ts";
import { dimensionsFor, type GridBasis, gridPoints } from "../../trial/grid.ts";
import { kumiConfig } from "../../trial/kumi_config.ts";
import { isWithin } from "../../traffic/prompt_limit.ts";
import { limitedSource, sampleRequests, shareCut, type TrafficRates } from "../../trial/load_source.ts";
import { isPatient } from "../../trial/objectives.ts";
import { predictionsOf } from "../../trial/predict.ts";
import { routingOf } from "../../trial/routes.ts";
import { PROFILES } from "../../trial/profiles.ts";
import type { TrialMachine, TrialObjectives, TrialReport } from "../../trial/report_data.ts";
import { typicalRequest } from "../../trial/screening.ts";
import { ServerMeasurer } from "../../trial/server_measurer.ts";
import { runTrial } from "../../trial/trial.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { resolveModelFile } from "../model_option.ts";
import { energyParts } from "../trial/energy.ts";
import { checkedConfig, FILES, openFolder, writeWhole } from "../trial/folder.ts";
import {
  describeMachine,
  describeModel,
  measureLimits,
  readCaches,
  type TrialModelFacts,
} from "../trial/machine.ts";
import { readTrialWish, trafficOf, type TrialWish } from "../trial/options.ts";
import { announceAgainst, measureAgainst, measureQuality, type OthersOptions } from "../trial/others.ts";
import { TrialProgressLine } from "../trial/progress.ts";
import { startServeProcess } from "../trial/serve_process.ts";
import { renderTrial } from "../trial/summary.ts";
import { printLine, printNote } from "../../process/print.ts";

/** Of each simulated load: more take longer than they tell more. */
const PREDICTED_REQUESTS = 300;
/** What is journalled at last. */
const LAST_STEP = "routing";
/** Left for predictions and for writing the report: so much of the budget, and no more than is needed. */
const END_SHARE = 0.06, END_MS_MAX = 12_000;
/** Predictions take no less. */
const PREDICTION_MS = 3000;
/** Of the budget, for the other endpoint and for questions, where they are asked for. */
const AGAINST_SHARE = 0.15, EVAL_SHARE = 0.1;
/** A model that takes so many bytes is not loaded once more to measure the memory. */
const LIMITS_BYTES_MAX = 8e9;

/** Tries the model and writes the report. */
export async function runTrialCommand(args: Arguments): Promise<number> {
  const wish = await readTrialWish(args);
  using interrupt = interruptible();
  const { signal } = interrupt;
  const path = await resolveModelFile(wish.model);
  const facts = await describeModel(wish.model, path);
  const limits = { contextLength: facts.model.contextLength };
  const { source, objectives } = trafficOf(wish, limits);
  const told = { ...describeMachine(), caches: await readCaches() };
  const journal = await openFolder(wish.out, await identityOf(wish, facts, told), wish.fresh);
  const isFinished = journal.has(LAST_STEP);
  if (journal.resumed > 0) {
    printNote(
      isFinished
        ? `kumi: the trial of ${journal.startedAt} in ${wish.out} is finished, its report is written again; --fresh begins anew`
        : `kumi: going on with the trial of ${journal.startedAt} in ${wish.out}`,
    );
  }
  signal.addEventListener("abort", () => printNote("kumi: stopping; the same command goes on from here"));
  announceAgainst(wish);
  const budgetMs = wish.budgetMinutes * 60_000;
  const endMs = budgetMs - Math.min(END_MS_MAX, END_SHARE * budgetMs);
  using line = new TrialProgressLine(() => budgetMs - journal.elapsedMs);
  // Of a finished one nothing is done again.
  const progress = isFinished ? { show: () => {}, clear: () => {} } : line;
  const machine = await journal.step("machine", async () => {
    progress.show({ phase: "machine", done: 0, of: 1, what: "read bandwidth and peaks" });
    if (facts.weightsBytes > LIMITS_BYTES_MAX) return told;
    return { ...told, ...await measureLimits(path, signal) };
  });
  const traffic = source.describe(ratesOf(wish));
  const requests = sampleRequests(traffic, limits);
  const basis = gridBasis(facts, machine, objectives);
  const dimensions = dimensionsFor(basis);
  const energy = openEnergyCounter();
  using _energy = "joules" in energy ? energy : null;
  await using measurer = new ServerMeasurer({
    energy: "joules" in energy ? energy : null,
    isMetered: wish.meter !== null,
    source,
    objectives,
    usableCpus: machine.usableCpus,
    signal,
    start: async (settings, signal) => {
      const config = {
        ...kumiConfig(path, settings, objectives),
        host: "127.0.0.1",
        port: 0,
        // Nobody else asks, and a server without its trial is of no use.
        ...Deno.build.os === "windows" ? {} : { exitWithParent: true },
      };
      const file = `${wish.out}/${FILES.server}`;
      await writeWhole(file, checkedConfig(config));
      return await startServeProcess({ config: file, program: Deno.mainModule, signal });
    },
  });
  const others = budgetMs * ((wish.against ? AGAINST_SHARE : 0) + (wish.evaluation ? EVAL_SHARE : 0));
  const outcome = await runTrial({
    model: modelForServing(wish.model, path),
    objectives,
    dimensions,
    points: gridPoints(dimensions, basis),
    requests,
    typical: (limits) =>
      typicalRequest(
        requests.filter((each) => isWithin(each, limits)),
        traffic.sharedPromptShare,
        objectives,
      ),
    requestsPerUserSecond: traffic.requestsPerUserSecond,
    seed: wish.seed,
    untilMs: endMs - others,
    journal,
    measurer,
    progress: (now) => progress.show(now),
  });
  const { alternatives, quality } = await askOthers({
    wish,
    journal,
    facts,
    source: limitedSource(source, outcome.promptLimits),
    objectives,
    outcome,
    measurer,
    endMs,
    signal,
    progress,
  });
  const assembled = assembleReport({
    kumiVersion: VERSION,
    startedAt: journal.startedAt,
    endedAt: await journal.step("end", () => new Date().toISOString()),
    budgetMinutes: wish.budgetMinutes,
    usedMinutes: journal.usedMs / 60_000,
    resumed: journal.resumed,
    command: ["kumi", "trial", ...repeatable(wish)],
    seed: wish.seed,
    machine,
    ...facts,
    traffic,
    cutShare: shareCut(traffic, limits),
    objectives,
    outcome,
    ...await energyParts(wish, machine, outcome, energy, signal),
    quality,
    alternatives,
    hasPrices: wish.prices !== null,
  });
  progress.clear();
  const predictions = await journal.step("predictions", () => {
    if (budgetMs - journal.elapsedMs < PREDICTION_MS) return [];
    return predictionsOf(assembled, { requestsMax: PREDICTED_REQUESTS }) ?? [];
  });
  const priced = withCost({ ...assembled, predictions }, wish);
  const routing = await journal.step(LAST_STEP, () => {
    if (budgetMs - journal.elapsedMs < PREDICTION_MS) return null;
    return routingOf(priced, { requestsMax: PREDICTED_REQUESTS });
  });
  await writeResults(wish, { ...priced, routing });
  return 0;
}

/** With what it costs, where there are prices. */
function withCost(report: TrialReport, { prices }: TrialWish): TrialReport {
  return prices === null ? report : { ...report, cost: trialCost(report, prices.file, prices.path) };
}

/** The other endpoint and the questions, as far as there is a point to ask them at. */
async function askOthers(
  { outcome, measurer, progress, ...rest }:
    & Pick<OthersOptions, "wish" | "journal" | "facts" | "source" | "objectives" | "endMs" | "signal">
    & {
      readonly outcome: Awaited<ReturnType<typeof runTrial>>;
      readonly measurer: ServerMeasurer;
      readonly progress: Pick<TrialProgressLine, "show">;
    },
) {
  const { chosen } = outcome;
  if (chosen === null) return { alternatives: [], quality: null };
  const { highestLoad, measures } = chosen;
  const leftMs = rest.endMs - rest.journal.usedMs;
  const options: OthersOptions = {
    ...rest,
    perSecond: highestLoad.requestsPerSecond ?? measures.all.goodPerSecond,
    seconds: Math.min(measures.seconds, leftMs / 3000),
    drainMs: leftMs / 3,
    seed: rest.wish.seed + 7,
    ownUrl: () => measurer.urlOf(chosen.settings),
  };
  if (rest.wish.against !== null) {
    progress.show({ phase: "the other endpoint", done: 0, of: 1, what: rest.wish.against.baseUrl });
  }
  const alternatives = await measureAgainst(options);
  if (rest.wish.evaluation !== null) {
    progress.show({ phase: "questions", done: 0, of: 1, what: rest.wish.evaluation.path });
  }
  return { alternatives, quality: await measureQuality(options, alternatives) };
}

async function writeResults(wish: TrialWish, report: TrialReport): Promise<void> {
  const { renderReport } = await import("../../trial/report/render.ts");
  const file = (name: string) => `${wish.out}/${name}`;
  const written: string[] = [file(FILES.report), file(FILES.page)];
  await writeWhole(file(FILES.report), `${JSON.stringify(report, null, 1)}\n`);
  await writeWhole(file(FILES.page), renderReport(report, wish.lang));
  if (report.chosen !== null) {
    await writeWhole(file(FILES.config), checkedConfig(report.chosen.config));
    written.push(file(FILES.config));
  }
  await Deno.remove(file(FILES.server)).catch(() => {});
  printLine(renderTrial(report));
  printLine(`\n${written.join("\n")}`);
}

/** What makes a trial this one: with anything else, what its journal has would not be true. */
async function identityOf(
  wish: TrialWish,
  { model }: TrialModelFacts,
  { processor, level, usableCpus }: TrialMachine,
): Promise<string> {
  const { slo, share, budgetMinutes, seed, evaluation, against, judge } = wish;
  const facts = {
    kumi: VERSION,
    model: wish.model,
    "model's bytes": model.fileBytes,
    traffic: wish.traffic === null ? wish.profile : await digest(wish.traffic.text),
    slo,
    share,
    "budget-minutes": budgetMinutes,
    seed,
    eval: evaluation === null ? null : await digest(JSON.stringify(evaluation.questions)),
    judge,
    against: against === null ? null : `${against.baseUrl} ${against.model} ${against.tokensMax}`,
    processor,
    level,
    threads: usableCpus,
  };
  return Object.entries(facts).map(([name, value]) => `${name}=${value}`).join("\n");
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex().slice(0, 16);
}

/** The company's own rates, as far as they were given. */
function ratesOf({ rate, users, profile, traffic }: TrialWish): TrafficRates {
  if (traffic !== null || users === null) {
    return { requestsPerSecond: rate, peakRequestsPerSecond: rate, users };
  }
  const perUser = PROFILES[profile].requestsPerUserSecond;
  return { requestsPerSecond: users * perUser, peakRequestsPerSecond: users * perUser, users };
}

function gridBasis(
  { model, kvFormats, weightsBytes }: TrialModelFacts,
  { usableCpus, nodes, availableBytes, memoryBytes }: TrialMachine,
  objectives: TrialObjectives,
): GridBasis {
  const available = availableBytes ?? memoryBytes;
  return {
    usableCpus,
    nodeCpus: nodes.filter(({ cpus }) => cpus.length > 0).map(({ cpus }) => formatCpuList(cpus)),
    kvFormats,
    hasPatient: objectives.classes.some(isPatient),
    contextLength: model.contextLength,
    // Half of what the weights leave: the rest is for everything else.
    kvBytesMax: Math.max(64e6, (available - 1.2 * weightsBytes) / 2),
    kvBytesPerToken: model.kvBytesPerToken,
  };
}

/** Names stay as they are: the configuration may lie anywhere. */
function modelForServing(spec: string, path: string): string {
  return spec === "demo" || namedModel(spec) !== undefined || isHubReference(spec) ? spec : resolve(path);
}

/** What repeats the trial, but for its folder. */
function repeatable(wish: TrialWish): string[] {
  const words: string[] = [];
  const add = (name: string, value: string | number | null) => {
    if (value !== null) words.push(`--${name}`, String(value));
  };
  add("model", wish.model);
  if (wish.traffic === null) add("profile", wish.profile);
  else add("traffic", wish.traffic.path);
  add("slo", wish.slo);
  add("share", wish.share);
  add("budget-minutes", wish.budgetMinutes);
  add("rate", wish.rate);
  add("users", wish.users);
  add("against", wish.against?.baseUrl ?? null);
  add("against-model", wish.against?.model ?? null);
  add("against-tokens", wish.against?.tokensMax ?? null);
  add("eval", wish.evaluation?.path ?? null);
  if (wish.judge) words.push("--judge");
  add("prices", wish.prices?.path ?? null);
  add("tdp", wish.tdpWatts);
  add("seed", wish.seed);
  return words;
}
