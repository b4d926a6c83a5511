/** `kumi ps`: the models of a running server. @module */

import type { KumiCommand } from "../command.ts";
import { SERVER_OPTION, serverAccess } from "../server_option.ts";

export const ps: KumiCommand = {
  name: "ps",
  summary: "show the models of a running server: which are in memory, how much they take",
  usage: "ps [--url URL] [--all] [--json]",
  positionals: { min: 0, max: 0 },
  options: [
    SERVER_OPTION,
    { name: "all", alias: "a", help: "those that are not in memory, too" },
    { name: "json", help: "what the server says of its models, as JSON" },
  ],
  access: serverAccess,
};
