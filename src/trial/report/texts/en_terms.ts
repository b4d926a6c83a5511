/** Terms, advice and inputs of costs in English. @module */

import type { SensitivityInput } from "../../../cost/mod.ts";
import type { TrialAdvice } from "../../report_data.ts";
import { code, type Glosses } from "../marks.ts";

export const glosses: Glosses = {
  ttft: { word: "TTFT", gloss: " (time to first token: how long a user waits until an answer begins)" },
  itl: { word: "ITL", gloss: " (inter-token latency: the time between two pieces of an answer)" },
  goodput: { word: "goodput", gloss: " (answers a second that keep all objectives)" },
  token: {
    word: "tokens",
    gloss: " (the pieces that a model reads and writes: about three quarters of an English word)",
  },
  kv: { word: "KV cache", gloss: " (memory in which the model keeps what it has read of each request)" },
  objective: { word: "objectives", gloss: " (the waiting times that an answer must keep to count as good)" },
  class: {
    word: "class",
    gloss: " (requests with the same objectives: people who wait, or work in the background)",
  },
  p95: { word: "p95", gloss: " (95 of 100 are faster)" },
  prefixCache: { word: "prefix cache", gloss: " (beginnings that several prompts share are computed once)" },
  tornado: { word: "tornado plot", gloss: " (what moves the result most stands at the top)" },
  breakEven: { word: "break-even", gloss: " (the volume from which on the other option costs no more)" },
};

export const advice: Readonly<Record<TrialAdvice, string>> = {
  "serve with the configuration": `Start the server with the settings found here: ${
    code("kumi serve --config kumi.config.json")
  }.`,
  "add machines":
    "Plan for the number of machines above, behind a load balancer, or serve fewer users with one.",
  "move classes elsewhere":
    "Let this machine have the requests that it can carry, and send the others to a GPU or a service.",
  "move long prompts elsewhere":
    "Send requests with longer prompts to a GPU or a service: a proxy can tell them by the size of the body.",
  "try a smaller model or format":
    "Repeat the trial with a smaller model or a format with fewer bits, and test its quality.",
  "loosen objectives":
    "Ask the users whether they could wait longer; with wider objectives the machine carries more.",
  "repeat on a quiet machine":
    "Repeat the trial while nothing else runs on this machine: these figures vary too much.",
  "repeat with a longer budget": `Repeat the trial with a longer ${
    code("--budget-minutes")
  }: this one was short.`,
  "record own traffic": `Record your own traffic with ${
    code("kumi serve --record FILE")
  } (lengths and times, never text) and repeat the trial with it.`,
  "test quality": `Test whether the model answers well enough: ${
    code("kumi trial --eval FILE")
  }, with questions of your own.`,
  "measure energy":
    "Measure power, with the processor's counters or a meter at the socket: so far it is not measured.",
  "give prices": `Give prices to see costs: copy ${
    code("examples/prices/example.json")
  }, put in yours, and run ${code("kumi report REPORT.json --prices FILE")}.`,
};

export const sensitivityInputs: Readonly<Record<SensitivityInput, string>> = {
  capacity: "requests/s of a machine",
  utilisation: "utilisation",
  price: "price of the machine",
  life: "years of use",
  interest: "interest a year",
  watts: "power under load, W",
  powerPrice: "price of a kWh",
  pue: "PUE",
  rack: "rack unit a month",
  staff: "staff hours a month",
  rent: "price of an hour",
};
