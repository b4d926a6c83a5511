/**
 * What the commands do, loaded when they run. It stands apart from what they are: Deno reads all modules that
 * a program may import when it starts, and whoever only asks a command what it may touch must not wait for
 * these, nor for their packages.
 * @module
 */

import type { Arguments } from "./command.ts";
import type { CommandName } from "./commands.ts";

/** Each resolves to the exit status. */
export const ACTIONS: Readonly<Record<CommandName, (args: Arguments) => Promise<number>>> = {
  chat: async (args) => await (await import("./actions/chat.ts")).runChat(args),
  run: async (args) => await (await import("./actions/run.ts")).runOnce(args),
  serve: async (args) => await (await import("./actions/serve.ts")).runServer(args),
  ps: async (args) => await (await import("./actions/ps.ts")).runPs(args),
  stop: async (args) => await (await import("./actions/stop.ts")).runStop(args),
  usage: async (args) => await (await import("./actions/usage.ts")).runUsage(args),
  pull: async (args) => await (await import("./actions/pull.ts")).runPull(args),
  list: async (args) => await (await import("./actions/list.ts")).runList(args),
  rm: async (args) => await (await import("./actions/rm.ts")).runRm(args),
  batch: async (args) => await (await import("./actions/batch.ts")).runBatch(args),
  verify: async (args) => await (await import("./actions/verify.ts")).runVerify(args),
  keygen: async (args) => await (await import("./actions/keygen.ts")).runKeygen(args),
  inspect: async (args) => await (await import("./actions/inspect.ts")).runInspect(args),
  tokenize: async (args) => await (await import("./actions/tokenize.ts")).runTokenize(args),
  quantize: async (args) => await (await import("./actions/quantize.ts")).runQuantize(args),
  imatrix: async (args) => await (await import("./actions/imatrix.ts")).runImatrix(args),
  compare: async (args) => await (await import("./actions/compare.ts")).runCompare(args),
  convert: async (args) => await (await import("./actions/convert.ts")).runConvert(args),
  bench: async (args) => await (await import("./actions/bench.ts")).runBench(args),
  perplexity: async (args) => await (await import("./actions/perplexity.ts")).runPerplexity(args),
  loadtest: async (args) => await (await import("./actions/loadtest.ts")).runLoadtest(args),
  plan: async (args) => await (await import("./actions/plan.ts")).runPlan(args),
  traffic: async (args) => await (await import("./actions/traffic.ts")).runTraffic(args),
  report: async (args) => await (await import("./actions/report.ts")).runReport(args),
  trial: async (args) => await (await import("./actions/trial.ts")).runTrialCommand(args),
};
