/** `kumi quantize`: writes a model in a smaller format. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { formatNames } from "../../gguf/storage_format.ts";

/** From F32, F16, BF16 (or Q8_0) to any format that the kernels run, with the error it costs. */
export const quantize: KumiCommand = {
  name: "quantize",
  summary: "write a model in another weight format, with the error it costs",
  usage: "quantize IN OUT FORMAT",
  positionals: { min: 3, max: 3 },
  options: [
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    { name: "force", help: "replace OUT if it exists" },
    { name: "tensors", help: "error figures of every tensor" },
    { name: "json", help: "the report as one JSON object" },
  ],
  details: `FORMAT is one of ${formatNames.join(", ")}. IN holds F32, F16, BF16 or Q8_0 weights.`,
  // OUT may lie anywhere.
  access: ({ positional: [input] }, env) => ({ ...modelAccess(input, env), write: "anywhere" }),
};
