/** All commands, in the order of the overview. Add one here, and what it does in `actions.ts`. @module */

import type { KumiCommand } from "./command.ts";
import { later } from "../process/later.ts";

const command = later<KumiCommand>();

/** Each loads what a command is. */
export const COMMANDS = {
  chat: command<typeof import("./commands/chat.ts")>(new URL("./commands/chat.ts", import.meta.url), "chat"),
  run: command<typeof import("./commands/run.ts")>(new URL("./commands/run.ts", import.meta.url), "run"),
  serve: command<typeof import("./commands/serve.ts")>(
    new URL("./commands/serve.ts", import.meta.url),
    "serve",
  ),
  ps: command<typeof import("./commands/ps.ts")>(new URL("./commands/ps.ts", import.meta.url), "ps"),
  stop: command<typeof import("./commands/stop.ts")>(new URL("./commands/stop.ts", import.meta.url), "stop"),
  usage: command<typeof import("./commands/usage.ts")>(
    new URL("./commands/usage.ts", import.meta.url),
    "usage",
  ),
  pull: command<typeof import("./commands/pull.ts")>(new URL("./commands/pull.ts", import.meta.url), "pull"),
  list: command<typeof import("./commands/list.ts")>(new URL("./commands/list.ts", import.meta.url), "list"),
  rm: command<typeof import("./commands/rm.ts")>(new URL("./commands/rm.ts", import.meta.url), "rm"),
  batch: command<typeof import("./commands/batch.ts")>(
    new URL("./commands/batch.ts", import.meta.url),
    "batch",
  ),
  verify: command<typeof import("./commands/verify.ts")>(
    new URL("./commands/verify.ts", import.meta.url),
    "verify",
  ),
  keygen: command<typeof import("./commands/keygen.ts")>(
    new URL("./commands/keygen.ts", import.meta.url),
    "keygen",
  ),
  inspect: command<typeof import("./commands/inspect.ts")>(
    new URL("./commands/inspect.ts", import.meta.url),
    "inspect",
  ),
  tokenize: command<typeof import("./commands/tokenize.ts")>(
    new URL("./commands/tokenize.ts", import.meta.url),
    "tokenize",
  ),
  quantize: command<typeof import("./commands/quantize.ts")>(
    new URL("./commands/quantize.ts", import.meta.url),
    "quantize",
  ),
  imatrix: command<typeof import("./commands/imatrix.ts")>(
    new URL("./commands/imatrix.ts", import.meta.url),
    "imatrix",
  ),
  convert: command<typeof import("./commands/convert.ts")>(
    new URL("./commands/convert.ts", import.meta.url),
    "convert",
  ),
  bench: command<typeof import("./commands/bench.ts")>(
    new URL("./commands/bench.ts", import.meta.url),
    "bench",
  ),
  perplexity: command<typeof import("./commands/perplexity.ts")>(
    new URL("./commands/perplexity.ts", import.meta.url),
    "perplexity",
  ),
  compare: command<typeof import("./commands/compare.ts")>(
    new URL("./commands/compare.ts", import.meta.url),
    "compare",
  ),
  loadtest: command<typeof import("./commands/loadtest.ts")>(
    new URL("./commands/loadtest.ts", import.meta.url),
    "loadtest",
  ),
  traffic: command<typeof import("./commands/traffic.ts")>(
    new URL("./commands/traffic.ts", import.meta.url),
    "traffic",
  ),
  report: command<typeof import("./commands/report.ts")>(
    new URL("./commands/report.ts", import.meta.url),
    "report",
  ),
  plan: command<typeof import("./commands/plan.ts")>(new URL("./commands/plan.ts", import.meta.url), "plan"),
  trial: command<typeof import("./commands/trial.ts")>(
    new URL("./commands/trial.ts", import.meta.url),
    "trial",
  ),
};

export type CommandName = keyof typeof COMMANDS;

/** The command of this name. */
export function findCommand(name: string): CommandName | undefined {
  return Object.hasOwn(COMMANDS, name) ? name as CommandName : undefined;
}
