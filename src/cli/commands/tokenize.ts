/** `kumi tokenize`: the token ids of a text under a model's vocabulary. @module */

import { fileAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { MODEL_HELP } from "../../hub/named_models.ts";

/** Reads the text from the arguments or, without any, from stdin. */
export const tokenize: KumiCommand = {
  name: "tokenize",
  summary: "print the token ids of a text",
  usage: 'tokenize [--model FILE] ["text"]',
  positionals: { min: 0, max: Infinity },
  options: [
    {
      name: "model",
      alias: "m",
      value: "MODEL",
      help: `whose vocabulary to use: ${MODEL_HELP}`,
      default: "demo",
    },
    { name: "special", help: "add BOS/EOS as the model asks, and read control tokens in the text" },
    { name: "pieces", help: "one token a line with its text" },
    { name: "json", help: "a JSON array of ids, or of {id, text} with --pieces" },
  ],
  access: ({ values }, env) => fileAccess(values.get("model")!, env),
};
