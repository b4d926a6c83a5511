/** `kumi usage`: what the keys of a running server have used. @module */

import type { KumiCommand } from "../command.ts";
import { SERVER_OPTION, serverAccess } from "../server_option.ts";

export const usage: KumiCommand = {
  name: "usage",
  summary: "print what each key of a running server has used, as CSV",
  usage: "usage [--url URL] > usage.csv",
  positionals: { min: 0, max: 0 },
  options: [SERVER_OPTION],
  details:
    `A line for each day (UTC), key, model and class: requests, those that a limit refused, tokens of prompts, of those
the tokens that the prefix cache had, and tokens of answers. An administrator's key sees all, another one its own.`,
  access: serverAccess,
};
