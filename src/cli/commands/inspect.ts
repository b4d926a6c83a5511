/**
 * `kumi inspect`: what a model file holds, whether this build can run it and this machine has the memory; or
 * what the processor can do.
 * @module
 */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { MODEL_HELP } from "../../hub/named_models.ts";
import { KV_OPTION } from "../sampling_options.ts";

/**
 * Prints metadata, tensors and sizes, and what loading the file would say; with --users and --context of such
 * a load.
 */
export const inspect: KumiCommand = {
  name: "inspect",
  summary: "show a model file's metadata, tensors, sizes, and whether it can be run here",
  usage: "inspect FILE [--users N --context C] [--json] | inspect --cpu [--json]",
  positionals: { min: 0, max: 1 },
  options: [
    {
      name: "model",
      alias: "m",
      value: "MODEL",
      help: `when not given as FILE: ${MODEL_HELP}`,
      default: "demo",
    },
    { name: "users", alias: "u", value: "N", help: "sequences at the same time", default: "1" },
    {
      name: "context",
      alias: "c",
      value: "C",
      help: "tokens of each sequence; default: as a load would have it, the model's where memory allows",
    },
    KV_OPTION,
    { name: "cpu", help: "no file: the processor's instruction set levels, and which one is used and why" },
    { name: "tensors", help: "list every tensor" },
    { name: "json", help: "one JSON object with everything" },
  ],
  details: "Exit status 1 when --users or --context was given and the model cannot be run here with them.",
  access: ({ positional: [file], values }, env) => modelAccess(file ?? values.get("model")!, env),
};
