/** `kumi bench`: prefill and decode speed beside the machine's own limits, and beside llama.cpp. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { MODEL_HELP } from "../../hub/named_models.ts";
import { shapeNames } from "../../models/shapes.ts";
import { PEER_PACKAGE } from "../bench/peer/install.ts";
import { RANDOM_FORMAT } from "../bench/random_format.ts";
import { KV_OPTION, LOAD_OPTIONS } from "../sampling_options.ts";

/** Times prompts and answers of given lengths, and says which fraction of the machine's limit that is. */
export const bench: KumiCommand = {
  name: "bench",
  summary: "measure prefill and decode speed beside the machine's limits",
  usage:
    "bench [--model FILE | --shape NAME --format FORMAT] [--pp N,…] [--tg N,…] [--batch N,…] [--depth N,…] [--peer llama.cpp]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "MODEL", help: MODEL_HELP, default: "demo" },
    { name: "shape", value: "NAME", help: `random weights instead: ${shapeNames.join(", ")}` },
    { name: "format", value: "FORMAT", help: `weight format of the random model (default ${RANDOM_FORMAT})` },
    { name: "pp", value: "N,…", help: "prompt lengths of the prefill test; 0 leaves it out", default: "512" },
    { name: "tg", value: "N,…", help: "steps of the decode test; 0 leaves it out", default: "64" },
    { name: "batch", value: "N,…", help: "sequences decoded together", default: "1" },
    { name: "depth", value: "N,…", help: "tokens already in each sequence's cache", default: "0" },
    { name: "repeat", alias: "r", value: "N", help: "runs of each test; the median counts", default: "5" },
    { name: "threads", alias: "t", value: "N", help: "threads; default: the cores this process may use" },
    KV_OPTION,
    ...LOAD_OPTIONS.filter(({ name }) => ["cpus", "prefault", "huge-pages"].includes(name)),
    { name: "peer", value: "llama.cpp", help: "measure it on the same file in turns; needs node and npm" },
    {
      name: "peer-cpu",
      value: "NAME",
      help: "the peer's build for another processor, such as haswell for AVX2",
    },
    { name: "json", help: "one JSON object a line instead of the table" },
  ],
  details:
    "The limit of a test is the longer of reading its bytes at the read bandwidth and doing its multiply-adds\n" +
    "at the peak of its weights' arithmetic. Both are measured before, between and after the runs, and the best\n" +
    "counts: the bandwidth on the model's own matrices, the peaks with the instructions that the kernels use.\n\n" +
    `--peer llama.cpp installs ${PEER_PACKAGE} with npm in the cache folder. It gets the same threads, a ubatch of\n` +
    "512 and the same KV format, computes logits but samples nothing, and takes turns with kumi once with flash\n" +
    "attention off and once with it on; the better one counts.",
  access: ({ values }, env) => {
    const access = modelAccess(values.get("model")!, env);
    // llama.cpp runs in node, and npm gets it.
    return { ...access, run: [...access.run ?? [], ...values.has("peer") ? ["node", "npm"] : []] };
  },
};
