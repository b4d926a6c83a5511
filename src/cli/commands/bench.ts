/** `kumi bench`: prefill and decode speed beside the machine's own limits, and beside other programs. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { MODEL_HELP } from "../../hub/named_models.ts";
import { shapeNames } from "../../models/shapes.ts";
import { pythonPrograms } from "../../process/python.ts";
import { chosenPeer, INSTALLED_PEERS } from "../bench/peer/programs.ts";
import { RANDOM_FORMAT } from "../bench/random_format.ts";
import { KV_OPTION, LOAD_OPTIONS } from "../sampling_options.ts";

/** What is measured where nothing is named. */
export const BENCH_MODEL = "demo";

/** Times prompts and answers of given lengths, and says which fraction of the machine's limit that is. */
export const bench: KumiCommand = {
  name: "bench",
  summary: "measure prefill and decode speed beside the machine's limits",
  usage:
    "bench [--model FILE | --shape NAME --format FORMAT] [--pp N,…] [--tg N,…] [--batch N,…] [--depth N,…] [--peer NAME | --peer-path DIR]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "MODEL", help: `${MODEL_HELP} (default ${BENCH_MODEL})` },
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
    {
      name: "peer",
      value: "NAME",
      help: `measure it on the same file in turns: ${INSTALLED_PEERS.map(({ name }) => name).join(", ")}`,
    },
    { name: "peer-path", value: "DIR", help: "the same with a checkout of ik_llama.cpp that you have built" },
    {
      name: "peer-cpu",
      value: "NAME",
      help: "llama.cpp's build for another processor, such as haswell for AVX2",
    },
    { name: "json", help: "one JSON object a line instead of the table" },
  ],
  details:
    "The limit of a test is the longer of reading its bytes at the read bandwidth and doing its multiply-adds\n" +
    "at the peak of its weights' arithmetic. Both are measured before, between and after the runs, and the best\n" +
    "counts: the bandwidth on the model's own matrices, the peaks with the instructions that the kernels use.\n\n" +
    "A peer gets the same file, threads and KV format, and takes turns with kumi. llama.cpp and ik_llama.cpp\n" +
    "get a ubatch of 512 and compute logits but sample nothing. llama.cpp is measured with flash attention off\n" +
    "and on, ik_llama.cpp, whose default is on, without and with -rtr; the better one counts. The others generate\n" +
    "greedily, and say how long the first token took; openvino-genai has an 8-bit cache of its own for q8_0,\n" +
    "mistralrs takes a text of as many tokens, f16 or f32 caches, and is measured with one sequence.\n\n" +
    `${
      INSTALLED_PEERS.map((each) => `--peer ${each.name} installs ${each.package} from ${each.registry}`)
        .join("\n")
    }\n` +
    "in the cache folder, with node and npm for llama.cpp, with Python for the others. --peer-path needs Python and\n" +
    "a C compiler.",
  access: ({ values }, env) => {
    const access = modelAccess(values.get("model") ?? BENCH_MODEL, env);
    const peer = chosenPeer(values.get("peer"), values.get("peer-path"));
    if (peer === undefined) return access;
    const pythons = peer.isPython ? pythonPrograms(env("PATH") ?? "") : [];
    return { ...access, run: [...new Set([...access.run ?? [], ...pythons, ...peer.programs])] };
  },
};
