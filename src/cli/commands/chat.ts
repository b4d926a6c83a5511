/** `kumi chat`: a conversation in the terminal. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS, SAMPLING_OPTIONS } from "../sampling_options.ts";

/** Interactive on a terminal; with stdin from a pipe each line is one message. */
export const chat: KumiCommand = {
  name: "chat",
  summary: "talk with a model; Ctrl-C stops an answer, /help tells the rest",
  usage: "chat [--model smollm2|PATH|hf:owner/repo/file.gguf] [options]",
  positionals: { min: 0, max: 0 },
  options: [
    ...LOAD_OPTIONS,
    { name: "system", value: "TEXT", help: "system message", mayBeEmpty: true },
    ...SAMPLING_OPTIONS,
    { name: "stats", help: "speed after each answer" },
  ],
  access: ({ values }, env) => modelAccess(values.get("model")!, env, values.get("draft")),
};
