/** `kumi imatrix`: what of a model matters over a text. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS } from "../sampling_options.ts";

/** Mean squares of what each matrix multiplies, for `quantize --imatrix`. */
export const imatrix: KumiCommand = {
  name: "imatrix",
  summary: "measure over a text which weights matter, for quantize --imatrix",
  usage: "imatrix MODEL TEXT [-o OUT.gguf] [--chunks N]",
  positionals: { min: 2, max: 2 },
  options: [
    { name: "output", alias: "o", value: "OUT", help: "file to write", default: "imatrix.gguf" },
    { name: "force", help: "replace OUT if it exists" },
    { name: "chunks", value: "N", help: "windows of the text to compute; default: all" },
    ...LOAD_OPTIONS.filter((option) => option.name === "threads"),
    {
      name: "context",
      alias: "c",
      value: "N",
      help: "tokens of a window; default 512 or the model's context",
    },
  ],
  details:
    "MODEL is best the original in F32, F16 or BF16, and TEXT a file of what the model will be used for, some 100 kB or " +
    "more. OUT is a GGUF file that llama.cpp's tools read, too.",
  // OUT may lie anywhere.
  access: ({ positional: [model] }, env) => ({ ...modelAccess(model, env), write: "anywhere" }),
};
