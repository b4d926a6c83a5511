/** `kumi quantize`: writes a model in a smaller format. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { mixNames, targetNames } from "../../gguf/mixes.ts";

/** From F32, F16, BF16 (or Q8_0) to any mix or format that the kernels run, with the error it costs. */
export const quantize: KumiCommand = {
  name: "quantize",
  summary: "write a model in another weight format, with the error it costs",
  usage: "quantize IN OUT FORMAT",
  positionals: { min: 3, max: 3 },
  options: [
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "force", help: "replace OUT if it exists" },
    {
      name: "imatrix",
      value: "FILE",
      help: "importances of columns, from imatrix or llama.cpp: errors go where they matter least",
    },
    { name: "pure", help: "the format that FORMAT is called after for every matrix" },
    { name: "dry-run", help: "print each tensor's format and size, and write nothing" },
    { name: "tensors", help: "error figures of every tensor" },
    { name: "json", help: "the report as one JSON object" },
  ],
  details: [
    `FORMAT is one of ${
      mixNames.join(", ")
    }: as llama.cpp's tool of that name does, a mix that gives more bits to the ` +
    "tensors that need them. " +
    `${
      targetNames.slice(mixNames.length).join(", ")
    } mean that format for every matrix. Rows that are not whole blocks take ` +
    "another format. IN holds F32, F16, BF16 or Q8_0 weights.",
  ].join("\n"),
  // OUT may lie anywhere.
  access: ({ positional: [input] }, env) => ({ ...modelAccess(input, env), write: "anywhere" }),
};
