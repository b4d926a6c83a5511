/**
 * `kumi loadtest`: requests at the times of a process or a trace, sent to any OpenAI-compatible server.
 * @module
 */

import type { KumiCommand } from "../command.ts";
import { hostsOf } from "../hosts.ts";

/** Loads a server and tells what it kept. */
export const loadtest: KumiCommand = {
  name: "loadtest",
  summary: "send load to an OpenAI-compatible server and measure latencies and goodput",
  usage: "loadtest URL [--rate R --duration S | --trace FILE] [--class NAME:SHARE:IN/OUT]… [--find-rate]",
  positionals: { min: 1, max: 1 },
  options: [
    { name: "rate", value: "R", help: "requests per second, as a Poisson process", default: "1" },
    {
      name: "duration",
      value: "S",
      help: "seconds in which requests are sent (default 30; of a trace: all)",
    },
    { name: "trace", value: "FILE", help: "requests at the times of a recording or a trace instead" },
    { name: "speed", value: "X", help: "play the trace so many times as fast", default: "1" },
    { name: "users", value: "X", help: "play so many times as many users of the trace", default: "1" },
    { name: "prompt-max", value: "N", help: "cut longer prompts of the trace" },
    { name: "answer-max", value: "N", help: "cut longer answers of the trace" },
    {
      name: "class",
      value: "NAME:SHARE:IN/OUT",
      isList: true,
      help: "a class of requests, its share, tokens in and out; may be given several times (default 64/64)",
    },
    { name: "kumi", help: "send the class with each request; other servers refuse the field" },
    { name: "model", alias: "m", value: "NAME", help: "model to ask for (default: the server's first)" },
    { name: "api", value: "chat|completions", help: "route to ask", default: "chat" },
    {
      name: "ignore-eos",
      help: "send ignore_eos: answers as long as they may be, where the server knows it",
    },
    { name: "shared-prefix", value: "N", help: "tokens that all prompts begin with", default: "0" },
    {
      name: "token-prompts",
      help: "send prompts as token ids, exactly as long and as shared as they were; with --api completions",
    },
    { name: "max-in-flight", value: "N", help: "requests beyond are not sent, and counted", default: "512" },
    { name: "timeout", value: "S", help: "longest time for a request", default: "600" },
    { name: "warm-up", value: "N", help: "requests before, which do not count", default: "2" },
    { name: "slo-ttft", value: "MS", help: "objective for the time to the first token" },
    { name: "slo-itl", value: "MS", help: "objective for the time between tokens" },
    {
      name: "slo-itl-stat",
      value: "mean|p95",
      help: "which figure of an answer must keep it",
      default: "mean",
    },
    { name: "find-rate", help: "look for the highest rate at which enough requests are good" },
    { name: "share", value: "SHARE", help: "of requests that --find-rate wants to be good", default: "0.95" },
    { name: "precision", value: "SHARE", help: "how near --find-rate comes to the rate", default: "0.1" },
    { name: "seed", value: "N", help: "of arrivals and classes; prompts are new each time", default: "1" },
    { name: "svg", value: "FILE", help: "distributions of the times as a picture" },
    { name: "json", help: "one JSON object instead of tables" },
  ],
  details:
    "A request is sent when it is due, however slow the server is. KUMI_API_KEY is sent as the key. Prompts are random\n" +
    "words, as many as two requests before the test have shown to be about right. A trace is what serve --record writes,\n" +
    "Azure's CSV, Mooncake's JSON lines, an access log of JSON lines, or CSV with a time and the tokens of prompts and\n" +
    "answers, such as at_ms,class,prompt_tokens,max_tokens.\n" +
    "Ctrl-C ends the test and prints what there is.",
  access: ({ positional: [url], values }) => ({
    net: hostsOf(url),
    write: values.has("svg") ? [values.get("svg")!] : [],
  }),
};
