/** `kumi trial`: whether this machine can carry a load, with which settings, and how much of it. @module */

import { resolve } from "node:path";
import { MODEL_HELP } from "../../hub/named_models.ts";
import { modelAccess } from "../access.ts";
import { hostsOf } from "../hosts.ts";
import type { KumiCommand } from "../command.ts";

/** Tells the sizes of caches. */
export const CACHE_PROGRAM = "getconf";

/** Tries a model under a load and writes a report. */
export const trial: KumiCommand = {
  name: "trial",
  summary: "find out what load this machine carries, with which settings, and write a report",
  usage: "trial --model M [--traffic FILE | --profile NAME] [--slo OBJECTIVE]… [--budget-minutes N]",
  positionals: { min: 0, max: 0 },
  options: [
    { name: "model", alias: "m", value: "MODEL", help: MODEL_HELP, default: "demo" },
    { name: "traffic", value: "FILE", help: "your own requests, recorded or imported" },
    { name: "profile", value: "NAME", help: "instead: chat, rag, bulk, agents or mixed (default chat)" },
    {
      name: "slo",
      value: "[CLASS:]ttft=MS,itl=MS",
      isList: true,
      help: "objectives of a class, or of all; itl-p95 instead of the mean; none; several times",
    },
    { name: "share", value: "SHARE", help: "of the requests that must keep them", default: "0.95" },
    {
      name: "budget-minutes",
      value: "N",
      help: "when it has to be over, loading the model included",
      default: "30",
    },
    { name: "rate", value: "R", help: "requests a second at your busiest time, to count machines for" },
    { name: "users", value: "N", help: "or so many people at work" },
    { name: "seed", value: "N", help: "the same seed gives the same plan", default: "1" },
    { name: "out", alias: "o", value: "FOLDER", help: "where the report goes", default: "kumi-trial" },
    { name: "fresh", help: "begin anew, though the folder has a trial that was interrupted" },
    { name: "against", value: "URL", help: "the same load at another OpenAI-compatible endpoint" },
    { name: "against-model", value: "NAME", help: "model to ask for there (default: its first)" },
    {
      name: "against-tokens",
      value: "N",
      help: "most tokens to be asked for there, prompts included",
      default: "200000",
    },
    {
      name: "eval",
      value: "FILE",
      help: "questions with expected answers: does the model answer well enough",
    },
    { name: "judge", help: "let the model of --against judge the answers that need a reader" },
    { name: "prices", value: "FILE", help: "dated prices, for what it costs" },
    {
      name: "tdp",
      value: "WATTS",
      help: "of the processors, for an estimate where energy cannot be measured",
    },
    {
      name: "meter",
      value: "FILE",
      help: "what a meter at the socket writes meanwhile: CSV with times and watts, see docs/energy.md",
    },
    { name: "lang", value: "en|ja", help: "language of report.html", default: "en" },
  ],
  details:
    "Writes report.json, report.html and kumi.config.json for kumi serve --config into the folder. Ctrl-C, a crash or a\n" +
    "power cut lose nothing but the run that was under way: the same command goes on where it was. KUMI_AGAINST_KEY is the\n" +
    "key of the other endpoint; what will be sent there is said before. Without --slo the objectives are the profile's.\n" +
    "Let nothing else run on the machine meanwhile: repeated runs show how quiet it was, and the report says it.\n\n" +
    "  kumi trial --model smollm2 --profile chat --users 200 --budget-minutes 10\n" +
    "  kumi trial --model model.gguf --traffic recorded.jsonl --slo ttft=2s,itl=150 --eval questions.jsonl",
  access: ({ values }, env) => {
    const model = modelAccess(values.get("model")!, env);
    const against = values.get("against");
    const out = resolve(env("INIT_CWD") ?? ".", values.get("out")!);
    return {
      ...model,
      write: [...model.write === "anywhere" ? [] : model.write ?? [], out],
      net: ["127.0.0.1", ...against === undefined ? [] : hostsOf(against)],
      // The servers that are measured.
      run: [...model.run ?? [], Deno.execPath(), CACHE_PROGRAM],
    };
  },
};
