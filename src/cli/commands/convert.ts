/** `kumi convert`: writes any model that kumi reads as one GGUF file. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { targetNames } from "../../gguf/mixes.ts";

/** A folder of safetensors, or the parts of a split file, as one GGUF file. */
export const convert: KumiCommand = {
  name: "convert",
  summary: "write a folder of safetensors, or a split model, as one GGUF file",
  usage: "convert IN OUT.gguf",
  positionals: { min: 2, max: 2 },
  options: [
    {
      name: "weights",
      value: "FORMAT",
      help: `quantise on the way: ${targetNames.join(", ")}; default: as they are`,
    },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "force", help: "replace OUT.gguf if it exists" },
  ],
  details:
    "IN is a folder with config.json, tokenizer.json and safetensors, a GGUF file, hf:…, or a name that --model takes.",
  // OUT may lie anywhere.
  access: ({ positional: [input] }, env) => ({ ...modelAccess(input, env), write: "anywhere" }),
};
