/** `kumi pull`: downloads a model, so that it is there when it is needed. @module */

import { fileAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";

export const pull: KumiCommand = {
  name: "pull",
  summary: "download a model into the cache",
  usage: "pull MODEL",
  positionals: { min: 1, max: 1 },
  options: [],
  details:
    "MODEL: hf:owner/repo/file.gguf, hf:owner/repo for a folder of safetensors, or a name such as smollm2. A\n" +
    "download that was cut off goes on where it was. Prints the path.",
  access: ({ positional: [model] }, env) => fileAccess(model, env),
};
