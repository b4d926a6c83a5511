/** `kumi plan`: how many machines a load takes, from a trial's report. @module */

import { type KumiCommand } from "../command.ts";
import { NOTHING } from "../access.ts";

/** Plans with what a trial has measured. */
export const plan: KumiCommand = {
  name: "plan",
  summary: "say how many machines other loads take, from the report of a trial",
  usage: "plan REPORT [--load 20x,100x] [--workers N --threads N] [--bench FILE | --read GB/s --peak GMAC/s]",
  positionals: { min: 1, max: 1 },
  options: [
    {
      name: "load",
      value: "LIST",
      help: "loads in times of the traffic's own",
      default: "1x,2x,5x,10x,100x,1000x",
    },
    {
      name: "workers",
      value: "N",
      help: "plan for so many engine workers in each machine; default: the trial's",
    },
    { name: "threads", value: "N", help: "and so many threads in each worker" },
    { name: "bench", value: "FILE", help: "plan for a machine where `kumi bench --json` wrote this" },
    { name: "read", value: "GB/S", help: "plan for a machine whose memory reads so fast, from a data sheet" },
    { name: "peak", value: "GMAC/S", help: "and that does so many 10⁹ multiply-adds a second" },
    {
      name: "upstream",
      value: "FILE",
      help: "say when to send requests to another server: JSON with its speed and price",
    },
    { name: "requests", value: "N", help: "most requests of a simulated load", default: "2000" },
    { name: "seed", value: "N", help: "of the simulation", default: "1" },
    { name: "json", help: "one JSON object instead of tables" },
  ],
  details:
    `REPORT is the report.json of "kumi trial". The scheduler that serves runs in simulated time, with the step times that the
trial has measured. What it says of other machines rests on two figures of theirs and is marked so.

With --upstream it simulates this machine beside another server, and recommends from when on a first token is too late here:
  {"firstTokenMs": 200, "promptTokensPerSecond": 8000, "tokensPerSecond": 80, "capacity": 32,
   "price": {"promptPerMillion": 0.1, "answerPerMillion": 0.4}}`,
  access: () => NOTHING,
};
