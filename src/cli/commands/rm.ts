/** `kumi rm`: removes models from the cache. @module */

import { cacheFolders } from "../access.ts";
import type { KumiCommand } from "../command.ts";

export const rm: KumiCommand = {
  name: "rm",
  summary: "remove models from the cache",
  usage: "rm MODEL… [--yes]",
  positionals: { min: 1, max: 256 },
  options: [{ name: "yes", alias: "y", help: "do not ask" }],
  details:
    "Asks before it removes anything; without a terminal to ask on, --yes is needed. A server that has the model in\n" +
    "memory goes on with it.",
  access: (_, env) => ({ write: cacheFolders(env) }),
};
