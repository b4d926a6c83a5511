/** `kumi perplexity`: how well a model predicts a text. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS } from "../sampling_options.ts";

/** Windows of the context length; the second half of each is scored, as llama.cpp's tool does. */
export const perplexity: KumiCommand = {
  name: "perplexity",
  summary: "measure how well a model predicts a text (lower is better)",
  usage: "perplexity FILE TEXT [--context N]",
  positionals: { min: 2, max: 2 },
  options: [
    ...LOAD_OPTIONS.filter((option) => option.name === "threads" || option.name === "kv"),
    {
      name: "context",
      alias: "c",
      value: "N",
      help: "tokens of a window; default 512 or the model's context",
    },
    { name: "json", help: "one JSON object" },
  ],
  details: "TEXT is a file. Each window of N tokens is scored on its second half.",
  access: ({ positional: [file] }, env) => modelAccess(file, env),
};
