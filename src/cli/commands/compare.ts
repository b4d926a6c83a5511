/** `kumi compare`: how far a model's predictions are from another's. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS } from "../sampling_options.ts";

/** What quantising has changed: perplexities, KL divergence, greedy tokens, and the tensors themselves. */
export const compare: KumiCommand = {
  name: "compare",
  summary: "measure how far a model's predictions are from another's, and its weights",
  usage: "compare A B TEXT [--tokens N] [--plot FILE.svg]",
  positionals: { min: 3, max: 3 },
  options: [
    { name: "tokens", value: "N", help: "the text's first tokens; default: all" },
    ...LOAD_OPTIONS.filter((option) => option.name === "threads" || option.name === "kv"),
    {
      name: "context",
      alias: "c",
      value: "N",
      help: "tokens of a window; default 512 or the models' context",
    },
    { name: "plot", value: "FILE.svg", help: "draw the distribution of what differs" },
    { name: "tensors", help: "the error of every tensor, not only of the worst" },
    { name: "force", help: "replace FILE.svg if it exists" },
    { name: "json", help: "one JSON object" },
  ],
  details:
    "A is the original, B what was made of it, and both are in memory at once. TEXT is a file; each window of N tokens is " +
    "scored on its second half.",
  access: ({ positional: [a = "", b = ""], values }, env) => {
    const access = modelAccess(a, env, b);
    return { ...access, write: values.has("plot") ? "anywhere" : access.write };
  },
};
