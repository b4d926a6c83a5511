/** A running server that a command talks to. @module */

import { SERVE_DEFAULTS } from "../server/options.ts";
import type { Access } from "./access.ts";
import type { Arguments, OptionSpec } from "./command.ts";
import { hostsOf } from "./hosts.ts";

/** Where the server is. */
export const SERVER_OPTION: OptionSpec = {
  name: "url",
  alias: "u",
  value: "URL",
  help: "the server's address; KUMI_API_KEY is sent as the key",
  default: `http://${SERVE_DEFAULTS.hostname}:${SERVE_DEFAULTS.port}`,
};

/** For a command that talks to a server. */
export function serverAccess({ values }: Arguments): Access {
  return { net: hostsOf(values.get("url")!) };
}
