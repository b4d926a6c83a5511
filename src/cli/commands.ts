/** All commands, in the order of the overview. Add one here. @module */

import type { KumiCommand } from "./command.ts";
import { bench } from "./commands/bench.ts";
import { chat } from "./commands/chat.ts";
import { inspect } from "./commands/inspect.ts";
import { loadtest } from "./commands/loadtest.ts";
import { perplexity } from "./commands/perplexity.ts";
import { quantize } from "./commands/quantize.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { tokenize } from "./commands/tokenize.ts";

/** What they do is loaded when they run: see `actions/`. */
export const COMMANDS: readonly KumiCommand[] = [
  chat,
  run,
  serve,
  inspect,
  tokenize,
  quantize,
  bench,
  perplexity,
  loadtest,
];
