/**
 * What the commands do, loaded when they run. It stands apart from what they are: whoever only asks a command
 * what it may touch must not wait for these, nor for their packages.
 * @module
 */

import { startEngineWorker } from "../client/engine_worker.ts";
import type { Arguments } from "./command.ts";
import type { CommandName } from "./commands.ts";
import { later } from "../process/later.ts";

/** Resolves to the exit status. */
type Action = (args: Arguments) => Promise<number>;

const action = later<Action>();

/** For what is going to run an engine in this process. */
function besideEngine(load: () => Promise<Action>): () => Promise<Action> {
  return () => {
    startEngineWorker();
    return load();
  };
}

/** Each loads what a command does. */
export const ACTIONS: Readonly<Record<CommandName, () => Promise<Action>>> = {
  chat: besideEngine(
    action<typeof import("./actions/chat.ts")>(new URL("./actions/chat.ts", import.meta.url), "runChat"),
  ),
  run: besideEngine(
    action<typeof import("./actions/run.ts")>(new URL("./actions/run.ts", import.meta.url), "runOnce"),
  ),
  serve: action<typeof import("./actions/serve.ts")>(
    new URL("./actions/serve.ts", import.meta.url),
    "runServer",
  ),
  ps: action<typeof import("./actions/ps.ts")>(new URL("./actions/ps.ts", import.meta.url), "runPs"),
  stop: action<typeof import("./actions/stop.ts")>(new URL("./actions/stop.ts", import.meta.url), "runStop"),
  usage: action<typeof import("./actions/usage.ts")>(
    new URL("./actions/usage.ts", import.meta.url),
    "runUsage",
  ),
  pull: action<typeof import("./actions/pull.ts")>(new URL("./actions/pull.ts", import.meta.url), "runPull"),
  list: action<typeof import("./actions/list.ts")>(new URL("./actions/list.ts", import.meta.url), "runList"),
  rm: action<typeof import("./actions/rm.ts")>(new URL("./actions/rm.ts", import.meta.url), "runRm"),
  batch: besideEngine(action<typeof import("./actions/batch.ts")>(
    new URL("./actions/batch.ts", import.meta.url),
    "runBatch",
  )),
  verify: action<typeof import("./actions/verify.ts")>(
    new URL("./actions/verify.ts", import.meta.url),
    "runVerify",
  ),
  keygen: action<typeof import("./actions/keygen.ts")>(
    new URL("./actions/keygen.ts", import.meta.url),
    "runKeygen",
  ),
  inspect: action<typeof import("./actions/inspect.ts")>(
    new URL("./actions/inspect.ts", import.meta.url),
    "runInspect",
  ),
  tokenize: action<typeof import("./actions/tokenize.ts")>(
    new URL("./actions/tokenize.ts", import.meta.url),
    "runTokenize",
  ),
  quantize: action<typeof import("./actions/quantize.ts")>(
    new URL("./actions/quantize.ts", import.meta.url),
    "runQuantize",
  ),
  imatrix: action<typeof import("./actions/imatrix.ts")>(
    new URL("./actions/imatrix.ts", import.meta.url),
    "runImatrix",
  ),
  compare: action<typeof import("./actions/compare.ts")>(
    new URL("./actions/compare.ts", import.meta.url),
    "runCompare",
  ),
  convert: action<typeof import("./actions/convert.ts")>(
    new URL("./actions/convert.ts", import.meta.url),
    "runConvert",
  ),
  bench: action<typeof import("./actions/bench.ts")>(
    new URL("./actions/bench.ts", import.meta.url),
    "runBench",
  ),
  perplexity: action<typeof import("./actions/perplexity.ts")>(
    new URL("./actions/perplexity.ts", import.meta.url),
    "runPerplexity",
  ),
  loadtest: action<typeof import("./actions/loadtest.ts")>(
    new URL("./actions/loadtest.ts", import.meta.url),
    "runLoadtest",
  ),
  plan: action<typeof import("./actions/plan.ts")>(new URL("./actions/plan.ts", import.meta.url), "runPlan"),
  traffic: action<typeof import("./actions/traffic.ts")>(
    new URL("./actions/traffic.ts", import.meta.url),
    "runTraffic",
  ),
  report: action<typeof import("./actions/report.ts")>(
    new URL("./actions/report.ts", import.meta.url),
    "runReport",
  ),
  trial: action<typeof import("./actions/trial.ts")>(
    new URL("./actions/trial.ts", import.meta.url),
    "runTrialCommand",
  ),
};
