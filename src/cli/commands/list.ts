/** `kumi list`: the models in the cache. @module */

import { NOTHING } from "../access.ts";
import type { KumiCommand } from "../command.ts";

export const list: KumiCommand = {
  name: "list",
  summary: "list the models in the cache",
  usage: "list [--json]",
  positionals: { min: 0, max: 0 },
  options: [{ name: "json", help: "a JSON object for each, one a line" }],
  details: "The names are those that every command takes as a model. KUMI_CACHE is the folder.",
  access: () => NOTHING,
};
