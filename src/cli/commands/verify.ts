/** `kumi verify`: whether an answer is what a model says. */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS } from "../sampling_options.ts";

export const verify: KumiCommand = {
  name: "verify",
  summary: "compute an answer again and say whether it has the same bits",
  usage: "verify RECEIPT --model MODEL --request FILE [--answer FILE] [--key FILE]",
  positionals: { min: 1, max: 1 },
  options: [
    ...LOAD_OPTIONS.filter(({ name }) => ["model", "threads", "cpus", "workers"].includes(name)),
    {
      name: "request",
      alias: "r",
      value: "FILE",
      help: "the body of the request, in JSON; lines of an audit may have it",
    },
    {
      name: "answer",
      alias: "a",
      value: "FILE",
      help:
        "the answer as somebody has it: the text, the server's JSON, or a saved stream; default: RECEIPT, where it is one",
    },
    {
      name: "key",
      alias: "k",
      value: "FILE",
      help: "the public key that must have signed, as keygen writes it, or itself",
    },
    { name: "parallel", value: "N", help: "answers computed together", default: "32" },
    {
      name: "lenient",
      help: "ignore fields of requests that are not known, as a server with --lenient does",
    },
    { name: "json", help: "a line of JSON for each receipt" },
  ],
  details:
    `RECEIPT is a file with a receipt, an answer or a stream that has some, or the lines of an audit. Everything is computed again with
MODEL, on any machine, in other company: "same bits", or the first token that differs.

Exit status: 0 all have the same bits, 3 some are different, 4 some cannot be compared here (other numbers, or other instructions with
BF16 weights), and the others have the same bits.`,
  access: ({ values }, env) => modelAccess(values.get("model") ?? "demo", env),
};
