/** `kumi batch`: answers a file of requests. @module */

import { modelAccess } from "../access.ts";
import type { KumiCommand } from "../command.ts";
import { LOAD_OPTIONS } from "../sampling_options.ts";

/** Requests on their way at the same time, where nothing else is said. */
export const PARALLEL_DEFAULT = 32;

export const batch: KumiCommand = {
  name: "batch",
  summary: "answer a file of requests, as OpenAI's Batch API has them",
  usage: "batch IN.jsonl OUT.jsonl [--model MODEL]",
  positionals: { min: 2, max: 2 },
  options: [
    ...LOAD_OPTIONS,
    { name: "errors", value: "FILE", help: "errors go there; default: to OUT, among the answers" },
    {
      name: "parallel",
      value: "N",
      help: "most requests computed together by a worker; 1: one after another",
      default: String(PARALLEL_DEFAULT),
    },
    {
      name: "model-name",
      value: "NAME",
      help: "the name that the requests' field \"model\" has; default: the file's",
    },
    { name: "lenient", help: "ignore fields of requests that are not known instead of refusing them" },
    { name: "json", help: "the figures of the run as one JSON object on stdout" },
  ],
  details:
    `A line of IN has custom_id, method (POST), url and body, with url one of /v1/chat/completions, /v1/completions,
/v1/embeddings and /v1/responses. A line of OUT has custom_id and response, or error, in any order: prompts that begin alike
are computed one after another. A line that is wrong gets an error and stops nothing.

Whatever ended an earlier run, the same command goes on where that was: what has a line in OUT is not done again, and a last
line that was cut off is mended. Ctrl-C ends a run so.

Exit status: 0 all are answered, 3 all are done and some have errors, 1 it could not go on (no room on the disk, the engine
failed), 2 called wrongly, 130 interrupted.

  kumi batch requests.jsonl answers.jsonl -m smollm2 --model-name gpt-4o-mini`,
  // OUT may lie anywhere.
  access: ({ values }, env) => ({ ...modelAccess(values.get("model")!, env), write: "anywhere" }),
};
