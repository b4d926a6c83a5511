/** `kumi traffic`: recordings of requests, from other formats and in figures. @module */

import type { KumiCommand } from "../command.ts";

/** Brings traffic into kumi's format, or says what it is like. */
export const traffic: KumiCommand = {
  name: "traffic",
  summary: "import recorded traffic from other formats, or describe it",
  usage: "traffic import FILE -o OUT | traffic describe FILE [--svg FILE] [--html FILE] [--json]",
  positionals: { min: 2, max: 2 },
  options: [
    { name: "output", alias: "o", value: "OUT", help: "of import: the recording to write" },
    { name: "force", help: "of import: replace OUT where it exists" },
    {
      name: "format",
      value: "NAME",
      help: "kumi, azure, mooncake, log or csv; default: what the first line shows",
    },
    { name: "svg", value: "FILE", help: "of describe: arrivals and lengths as a picture" },
    { name: "html", value: "FILE", help: "of describe: the same with the figures, as a page" },
    { name: "json", help: "of describe: one JSON object instead of tables" },
  ],
  details:
    `A recording has a line for each request: when it came, its class, its tokens, and which blocks its prompt shares with
others. There is no text in it. "serve --record FILE" writes one; "import" makes one of Azure's CSV, Mooncake's JSON
lines, an access log of JSON lines with usage (nginx, LiteLLM, kumi) or CSV whose first line names a time, the tokens of
prompts and those of answers. "loadtest --trace" plays it, and "trial --traffic" tries a machine with it.`,
  access: ({ values }) => ({
    write: ["output", "svg", "html"].flatMap((name) => values.get(name) ?? []),
  }),
};
