/** `kumi run`: one answer, only its text on stdout. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS, SAMPLING_OPTIONS } from "../sampling_options.ts";

/** The prompt comes from the argument, from stdin, or from both: then stdin follows the argument. */
export const run: KumiCommand = {
  name: "run",
  summary: "answer one prompt and exit; only the text goes to stdout",
  usage: 'run ["prompt"] [--raw] [options]',
  positionals: { min: 0, max: 1 },
  options: [
    ...LOAD_OPTIONS,
    { name: "raw", help: "continue the prompt as plain text, without the chat template" },
    { name: "system", value: "TEXT", help: "system message", mayBeEmpty: true },
    ...SAMPLING_OPTIONS,
    { name: "stats", help: "speed on stderr at the end" },
    { name: "json", help: "one JSON object with text, usage and timings instead of the text" },
  ],
  details: 'Text on stdin is appended to the prompt: cat report.txt | kumi run "Summarise this:"',
  access: ({ values }, env) => modelAccess(values.get("model")!, env, values.get("draft")),
};
