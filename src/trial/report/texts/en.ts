/** The report in English. @module */

import { many, sentences } from "./en_sentences.ts";
import { advice, glosses, sensitivityInputs } from "./en_terms.ts";
import { code, strong, term } from "../marks.ts";

export const en = {
  glosses,
  advice,
  sensitivityInputs,
  title: (model: string) => `Trial report: ${model}`,
  estimate: "estimate",
  predicted: "predicted",
  notMeasured: "not measured",

  header: {
    line: (machine: string, date: string) => `${machine} · ${date}`,
    unknownMachine: "a machine that does not tell its name",
  },

  verdict: {
    question: "Can this machine carry the load?",
    yesOne: "Yes, one machine like this one is enough.",
    yesMany: (machines: string) => `Yes, with ${many(machines, "machine")} like this one.`,
    yesUnknown: "Yes, up to the load below.",
    partly: (classes: string) => `In part: requests of the class ${classes} belong on other hardware.`,
    partlyUnknown: "In part: some requests belong on other hardware.",
    partlyShort: (tokens: string, share: string, name: string) =>
      `In part: prompts of ${name} up to ${tokens} tokens (${share} of all requests are longer).`,
    limit: (tokens: string, name: string, needed: string) =>
      `A longer prompt of ${name} takes more than half of the time until its answer has to begin, even alone: such requests belong ` +
      `on other hardware and are left out of the figures here. To carry nearly all of them, allow ${needed} until an answer begins. ` +
      `${tokens} tokens are the longest that was carried.`,
    no: "No, not with this model and these waiting times.",
    carries: (requests: string, users: string | null, share: string) =>
      `One machine answers up to ${strong(`${requests} requests a second`)}${
        users === null ? "" : ` (about ${users} users)`
      }; at least ${share} of the answers then keep the ${term("objective")}.`,
    carriesNothing: `Even at the lowest load that was tried too few answers kept the ${term("objective")}.`,
    peak: (peak: string, machines: string, utilisation: string | null) =>
      `Your traffic peaks at ${peak} requests a second${
        utilisation === null ? "." : `: ${many(machines, "machine")} would be ${utilisation} busy then.`
      }`,
    noRate: "How many requests you have was not told, so no number of machines follows from it.",
    objective: (name: string, ttft: string | null, itl: string | null, stat: "mean" | "p95") =>
      `${name}: ${
        [
          ttft === null ? null : `the answer begins within ${ttft}`,
          itl === null
            ? null
            : stat === "mean"
            ? `its pieces follow every ${itl} on average, or faster`
            : `95 of 100 of its pieces follow within ${itl}`,
        ].filter((part) => part !== null).join(", ") || "no limit but an answer"
      }`,
    objectivesTitle: "A good answer",
  },

  tiles: {
    machines: "Machines",
    machinesNone: "none would do",
    machinesUnknown: "depends on your rate",
    machinesAtPeak: (peak: string) => `for a peak of ${peak} requests/s`,
    machinesPerMachine: (rate: string) => `${rate} requests/s each`,
    speed: "Speed",
    speedBegins: (time: string) => `half of the answers begin within ${time}`,
    speedPace: (rate: string) => `then ${rate} tokens a second`,
    cost: "Cost a month",
    costNone: "not reckoned",
    costNoneWhy: "no prices were given",
    costExample: "with placeholder prices",
    quality: "Does it answer well?",
    qualityNone: "quality not tested",
    qualityNoneWhy: "speed says nothing about whether answers are right",
    qualityOf: (passed: string, graded: string) => `${passed} of ${graded} right`,
    qualityBeside: (name: string, share: string) => `${name}: ${share}`,
    power: "Power under load",
    powerNone: "not known",
    powerCounters: "processors and memory",
    powerMeter: "at the socket",
    powerEstimate: "from the processor's TDP",
  },

  next: { title: "What to do next", none: "Nothing: the trial has answered what it was asked." },

  warnings: {
    title: "Read this before you rely on the figures",
    noisy: (spread: string, threshold: string) =>
      `The machine was noisy: runs that should be alike differed by ${spread} (more than ${threshold}). Differences smaller than that mean nothing here.`,
    noisyTtft: (spread: string) => `Times to the first token differed by ${spread} between such runs.`,
    stolen: (share: string) => `Others had ${share} of the processors meanwhile.`,
    "busy before": (load: string) => `The machine was not idle when the trial began (load average ${load}).`,
    "budget short": (measured: string, planned: string) =>
      `The time was short: ${measured} of ${planned} planned settings were measured.`,
    "few requests": (requests: string) =>
      `Runs had as few as ${requests} requests; the slowest percents are uncertain.`,
    "generator late": (time: string) =>
      `The load generator itself was up to ${time} late, which makes the server look slower.`,
    "energy estimated": "Energy was estimated and not measured.",
    "long prompts left out": (share: string) =>
      `All figures, costs too, are of the requests that this machine can carry: the ${share} with longer prompts are not in them.`,
    "energy not measured": (why: string) => `Energy was not measured: ${why}.`,
    "quality not tested": "Quality was not tested: a fast wrong answer counts as good here.",
    "synthetic traffic": (profile: string) =>
      `The traffic is a profile (${profile}), made after public figures, and nobody's own.`,
    "requests cut to the context": (share: string) =>
      `${share} of the requests were longer than the model takes and were cut.`,
    "spending cap reached": (url: string) => `The cap of tokens ended the comparison with ${url} early.`,
    "random weights": "The model has random weights: speed is real, its answers mean nothing.",
    "container limits": (quota: string) => `A container allows ${quota} processors' worth of time.`,
    placeholders: (count: string) =>
      `${many(count, "price")} in the file ${
        count === "1" ? "is a placeholder" : "are placeholders"
      }: costs are an example until you replace them.`,
    oldPrices: (date: string) => `The oldest price is of ${date}; look it up again.`,
    resumed: (times: string) => `The trial was interrupted and went on ${many(times, "time")}.`,
  },

  sentences,
  load: {
    title: "How much it carries",
    intro: (share: string) =>
      `The load was raised until fewer than ${share} of the answers kept the ${term("objective")}.`,
    figure: "Share of good answers by load",
    figureNote: (held: string | null, above: string | null) =>
      held === null
        ? "No load that was tried held."
        : above === null
        ? `${held} requests a second held, the highest load that was tried.`
        : `${held} requests a second held, ${above} did not.`,
    axisLoad: "requests a second →",
    axisGood: "↑ good answers",
    wanted: "wanted",
    yourPeak: "your peak",
    latencyFigure: "How long users wait at that load",
    latencyNote: (p95: string) =>
      `From the median (dot) to ${p95} (end of the bar), on a logarithmic axis; the line is the objective.`,
    ttft: "answer begins",
    itl: "between tokens",
    axisTime: "milliseconds →",
    terms: `In tables and plots: ${term("ttft")} and ${term("itl")}; of both the median (p50) and ${
      term("p95")
    }; and the ${term("goodput")}.`,
    table: (seconds: string) => `Measured at the chosen settings over ${seconds}`,
    columns: [
      "class",
      "requests",
      "good",
      "refused",
      "failed",
      "TTFT p50",
      "TTFT p95",
      "ITL p50",
      "ITL p95",
      "whole answer p50",
      "answer tokens/s",
    ],
    all: "all",
    memory: (resident: string) => `The server used ${resident} of memory at most.`,
    kv: (allocated: string, waste: string, longest: string) =>
      `Its ${
        term("kv")
      } had ${allocated} in use when it was fullest, of which ${waste} was waste; reserving the longest sequence for each request would have taken ${longest}.`,
    cpu: (share: string) => `The processors were ${share} busy.`,
  },

  alternatives: {
    title: "Beside the alternative",
    intro: (name: string, rate: string) => `The same load, ${rate} requests a second, was sent to ${name}.`,
    columns: [
      "",
      "good answers",
      "TTFT p50",
      "TTFT p95",
      "ITL p50",
      "ITL p95",
      "goodput/s",
      "cost of a million tokens",
    ],
    here: "this machine",
    failed: (name: string, problem: string) => `${name} was not measured: ${problem}`,
    spent: (spent: string, max: string) => `${spent} of at most ${max} tokens were spent.`,
    capped: "The cap ended the run early.",
    routes: {
      intro: `Both together, simulated by what was measured of each (docs/routing.md; ${
        code("kumi plan --upstream")
      } tries other figures):`,
      ways: {
        here: "all requests stay here",
        there: "all requests go there",
        fastest: "each request goes where it is answered sooner",
        overflow: "what is late here goes there",
      },
      late: (share: string) =>
        `what would wait here longer than ${share} of its objective for the first token goes there`,
      way: (load: string, way: string) => `At ${load} times the traffic it is best that ${way}.`,
      away: (share: string) => `${share} of the requests are answered there.`,
      notAll: "Not all objectives hold even so.",
      saved: (amount: string) => `That costs ${amount} an hour less than sending all there.`,
    },
  },

  quality: {
    title: "Does the model answer well enough?",
    notTested: "Quality not tested",
    notTestedWhy:
      `The trial measured how fast answers come, not whether they are right. Before you decide, put 50 to 200 questions of your own work with the right answers into a file and run ${
        code("kumi trial --eval FILE")
      }; docs/trial.md says how.`,
    figure: "Questions answered rightly",
    figureNote: (questions: string) =>
      `Of ${questions} questions; the thin line is the 95 % interval: with few questions it is wide, and small differences mean nothing.`,
    axis: "share answered rightly →",
    table: "By kind of question and by language",
    columns: ["", "right", "of", "share", "without answer"],
    failed: (name: string, ids: string) => `${name} failed: ${ids}`,
    here: (name: string, format: string | null) => format === null ? name : `${name} (${format})`,
  },

  cost: {
    title: "What it costs",
    none: `Costs were not reckoned, since no prices were given. Copy ${
      code("examples/prices/example.json")
    }, put in your own, and run ${code("kumi report REPORT.json --prices FILE")}.`,
    intro: (requests: string, tokens: string, file: string, date: string) =>
      `For ${requests} requests a month, ${tokens} ${term("token")}, at the prices of ${
        code(file)
      } (${date}).`,
    basis: {
      prices: "The number of requests is from the prices file.",
      traffic: "The number of requests is the traffic's mean rate, taken as that of every hour of the month.",
      assumed: `The traffic has no rate of its own: ${
        strong("the number of requests is assumed")
      }, at 30 % of what this machine can do.`,
    },
    peak: (factor: string) => `Machines are counted for a peak of ${factor} times the mean.`,
    table: "A month, by option",
    columns: [
      "option",
      "machines",
      "hardware",
      "energy",
      "site and staff",
      "rent or tokens",
      "total",
      "a million tokens",
    ],
    capacity: {
      measured: "capacity measured in this trial",
      predicted: "predicted",
      assumed: "capacity assumed, not measured",
    },
    cheapest: "least",
    perMillion: "Cost of a million tokens by how much a machine is used",
    perMillionNote:
      "A machine costs the same whether it is used or not, so its tokens are dear when it idles; a service costs the same for each. Hatched: the capacity is assumed, not measured.",
    utilisation: (share: string) => `${share} used`,
    axisPerMillion: (currency: string) => `${currency} for a million tokens →`,
    volume: "Cost a month by number of requests",
    volumeNote: `Where two lines cross is the ${term("breakEven")}; steps are further machines.`,
    axisRequests: "requests a month →",
    axisMonth: (currency: string) => `↑ ${currency} a month`,
    now: "this volume",
    breakEvens: "Break-even",
    breakEvenIntro: `Where the cheapest option changes: the ${term("breakEven")}.`,
    breakEvenColumns: ["cheaper at first", "then", "first at, requests a month", "always from"],
    never: "never",
    fromStart: "from the first",
    tornado: "What the result depends on",
    tornadoNote: (name: string, utilisation: string) =>
      `Cost of a million tokens of “${name}” at ${utilisation} use when one input alone is changed, as a ${
        term("tornado")
      }. Blue: at the lower value of the input, orange: at the higher one.`,
    range: (low: string, high: string) => `${low} – ${high}`,
    axisTornado: (currency: string) => `${currency} for a million tokens →`,
    leftOut: (name: string, reason: string) => `“${name}” was left out: ${reason}.`,
    sources: "Prices and where they are from",
    sourceColumns: ["figure", "value", "of", "source"],
    placeholder: "placeholder",
  },

  energy: {
    title: "Energy",
    none: "Energy was neither measured nor estimated.",
    measured: (source: string, seconds: string) => `Measured over ${seconds} under full load, by ${source}.`,
    sources: {
      rapl: "the processor's counters (RAPL: processors and memory, without fans, disks and power supply)",
      perf:
        "the processor's counters (RAPL through perf: processors and memory, without fans, disks and power supply)",
      meter: "a meter at the socket",
    },
    domains: (names: string) => `Counters: ${names}.`,
    watts: (mean: string, idle: string | null) =>
      `${mean} W on average${
        idle === null ? "; idle power was not measured" : `, ${idle} W with nothing to do`
      }.`,
    estimated: (tdp: string, from: string, utilisation: string) =>
      `${
        strong("This is an estimate and no measurement")
      }: a TDP of ${tdp} W (${from}) times the processors' utilisation of ${utilisation}. Real power may well be half or double of it.`,
    tdpGiven: "given",
    estimatedWatts: (watts: string) => `Estimated power: ${watts} W.`,
    because: (why: string) => `Why nothing was measured: ${why}.`,
    figure: "Joules for a token",
    figureEstimated: "Estimated joules for a token",
    perAnswer: "all ÷ answer tokens",
    prefill: "read (prefill)",
    decode: "written (decode)",
    ofClass: (name: string) => `written, ${name}`,
    axis: "joules a token →",
    axisEstimated: "joules a token, estimated →",
  },

  capacity: {
    title: "If the load grows",
    intro: (error: string) =>
      `Predicted, not measured: the server's own scheduler was run in simulated time with the step times that the trial measured (typical error of a step ${error}).`,
    none: "Nothing was predicted: the trial measured too few steps.",
    figure: "Machines needed by load",
    axisLoad: "times your load →",
    axisMachines: "↑ machines",
    table: "Predicted for more load",
    columns: ["load", "requests/s", "machines", "good answers", "TTFT p95", "ITL p95"],
    times: (load: string) => `${load}×`,
    none1: "no number",
    more: `Other loads and other machines: ${code("kumi plan REPORT.json --load 20x")}.`,
  },

  traffic: {
    title: "The traffic",
    profile: (name: string) => `The profile “${name}”: made after public figures, not recorded from you.`,
    file: (name: string, requests: string) => `${requests} requests of ${name}.`,
    rate: (mean: string, peak: string) =>
      `${mean} requests a second on average, ${peak} in the busiest minute.`,
    shared: (share: string) =>
      `${share} of the prompts' tokens are beginnings that an earlier request had, too; the ${
        term("prefixCache")
      } saves them.`,
    figure: "How long requests are",
    figureNote: "From the median (dot) to 99 of 100 (end of the bar), on a logarithmic axis.",
    prompt: "prompt",
    answer: "answer",
    axis: "tokens →",
    sources: "Where the profile's figures come from",
    source: (text: string) => text,
    columns: ["class", "share", "prompt tokens, mean", "p99", "answer tokens, mean", "p99"],
  },

  search: {
    title: "Which settings are best",
    intro: (measured: string, grid: string, rounds: string) =>
      `Of ${grid} combinations ${measured} were run, in ${
        many(rounds, "round")
      }: many for a short time, the better ones longer.`,
    figure: "Goodput of the settings that were tried",
    figureNote: (goodput: string) =>
      `The last run of each, by ${goodput}; the chosen one is filled. A line is workers×threads, requests at once, tokens of a step, wait, KV format.`,
    axis: "goodput, answers a second →",
    chosen: "The chosen settings",
    goodput: (mean: string, low: string, high: string) =>
      `${mean} good answers a second, with 95 % between ${low} and ${high}.`,
    equals: (count: string) => `${many(count, "other setting")} cannot be told from it.`,
    none: "No settings kept the objectives.",
    settings: {
      workers: "workers",
      threads: "threads of each",
      cpus: "processors",
      sequencesMax: "requests at once",
      batchTokens: "tokens of a step",
      maxWaitMs: "wait for company",
      kvFormat: "KV format",
      kvTokens: "tokens of the KV cache",
      prefixCache: "prefix cache",
    },
    allCpus: "all",
    on: "on",
    off: "off",
    outcomes: {
      chosen: "chosen",
      equal: "equal to it",
      beaten: "beaten",
      failed: "failed",
      "not run": "not run",
    },
    table: "All settings that were run",
    columns: ["settings", "outcome", "rounds", "goodput/s", "TTFT p95", "ITL p95"],
  },

  method: {
    title: "Method, machine and limits",
    how: [
      "The server that you would run was started with each combination of settings and got the same load over HTTP, as clients send it: requests leave when they are due, however slow the server is.",
      `An answer is good when it came to its end and kept the ${term("objective")} of its ${term("class")}.`,
      "Combinations were compared at one load, and the better half stayed for longer runs. The winner then got more and more load.",
      "Runs were repeated to see how far equal runs differ; what differs by less is called equal.",
    ],
    limitsTitle: "What these figures do not say",
    limits: [
      "How the model answers questions that were not asked here.",
      "How another machine does: predictions for others are marked as such.",
      "What happens when other programs share the machine: the trial had it for itself, or says that it had not.",
      "Networks, load balancers and the work of running a service are outside of it.",
    ],
    noise: (spread: string, repeats: string) =>
      `Equal runs (${repeats} compared) differed by ${spread} in throughput.`,
    noNoise: "No run was repeated, so nothing is known of the noise.",
    machine: "The machine",
    model: "The model",
    rows: {
      processor: "processor",
      system: "system",
      level: "instruction set used",
      cpus: "processors usable",
      quota: "of it granted by a container",
      memory: "memory",
      read: "memory read speed",
      peaks: "10⁹ multiply-adds a second (int8 / bf16 / float)",
      caches: "caches",
      nodes: "NUMA nodes",
      name: "name",
      given: "as given",
      architecture: "family",
      quantisation: "format of the weights",
      parameters: "parameters",
      file: "file",
      context: "longest text, tokens",
      kvBytes: "KV cache of a token",
      load: "start",
    },
    cacheLevel: (level: string, kind: string, size: string) => `L${level} ${kind} ${size}`,
    repeat: "Repeat it",
    repeatNote: (seed: string, minutes: string, version: string) =>
      `Seed ${seed}; took ${minutes} minutes; kumi ${version}. The same seed makes the same plan.`,
    config: "kumi.config.json",
  },

  appendix: {
    title: "Appendix",
    formulas: "Formulas of the costs",
    formulasNote: "A month has 730 hours. The symbols:",
    symbols: [
      ["P, C, A", "tokens of a prompt, of it cached, of an answer"],
      ["c, V, k", "requests a second of one machine; requests a month; busiest hour over the mean"],
      ["u", "share of its capacity that a machine is used"],
      ["p, L, r, i, m", "price, years of use, share left at the end, interest and maintenance a year"],
      ["Wi, Wb, e, PUE", "watts idle and busy, price of a kWh, power of the site over its machines"],
      ["U, R, h, s", "rack units, price of one a month, staff hours a month, price of one"],
      ["q, H, x", "rent of an hour, hours a month, extras a month"],
      ["a, b, o, f", "a million tokens of input, cached input and output; fixed a month"],
    ],
    formulaNames: {
      tokens: "tokens of a request",
      hardware: "hardware a month",
      annuity: "the same with interest",
      maintenance: "maintenance a month",
      energy: "energy a month",
      own: "own machine a month",
      rented: "rented machine a month",
      api: "a request at a service",
      perMillion: "a million tokens of a machine",
      perMillionApi: "a million tokens of a service",
      machines: "machines",
      month: "a month with machines",
      monthApi: "a month at a service",
      breakEven: "break-even",
    } as Readonly<Record<string, string>>,
    raw: "Raw data",
    rawNote: `All figures of the trial are embedded in this file as JSON (the script element with the id ${
      code("report")
    }) and are those of ${code("report.json")}.`,
    legend: "How to read the marks",
    legendNote:
      "Filled bars and plain figures are measured. Hatched bars, dashed frames and the words “estimate” and “predicted” mark what is not.",
  },
};

/** What a language has to say. */
export type Texts = typeof en;
