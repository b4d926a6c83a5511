/** `kumi stop`: lets a model leave a running server's memory. @module */

import type { KumiCommand } from "../command.ts";
import { SERVER_OPTION, serverAccess } from "../server_option.ts";

export const stop: KumiCommand = {
  name: "stop",
  summary: "let a model leave the memory of a running server",
  usage: "stop MODEL [--url URL]",
  positionals: { min: 1, max: 1 },
  options: [SERVER_OPTION],
  details: "Requests under way end first. The model is loaded again when somebody asks for it.",
  access: serverAccess,
};
