/** All commands, in the order of the overview. Add one here, and what it does in `actions.ts`. @module */

import type { KumiCommand } from "./command.ts";
import { batch } from "./commands/batch.ts";
import { bench } from "./commands/bench.ts";
import { chat } from "./commands/chat.ts";
import { compare } from "./commands/compare.ts";
import { convert } from "./commands/convert.ts";
import { imatrix } from "./commands/imatrix.ts";
import { inspect } from "./commands/inspect.ts";
import { keygen } from "./commands/keygen.ts";
import { loadtest } from "./commands/loadtest.ts";
import { list } from "./commands/list.ts";
import { perplexity } from "./commands/perplexity.ts";
import { plan } from "./commands/plan.ts";
import { ps } from "./commands/ps.ts";
import { pull } from "./commands/pull.ts";
import { quantize } from "./commands/quantize.ts";
import { report } from "./commands/report.ts";
import { rm } from "./commands/rm.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { stop } from "./commands/stop.ts";
import { tokenize } from "./commands/tokenize.ts";
import { traffic } from "./commands/traffic.ts";
import { trial } from "./commands/trial.ts";
import { usage } from "./commands/usage.ts";
import { verify } from "./commands/verify.ts";

export const COMMANDS = {
  chat,
  run,
  serve,
  ps,
  stop,
  usage,
  pull,
  list,
  rm,
  batch,
  verify,
  keygen,
  inspect,
  tokenize,
  quantize,
  imatrix,
  convert,
  bench,
  perplexity,
  compare,
  loadtest,
  traffic,
  report,
  plan,
  trial,
} as const satisfies Record<string, KumiCommand>;

export type CommandName = keyof typeof COMMANDS;

/** The command of this name. */
export function findCommand(name: string): CommandName | undefined {
  return Object.hasOwn(COMMANDS, name) ? name as CommandName : undefined;
}
