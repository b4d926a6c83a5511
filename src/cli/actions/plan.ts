/** What `kumi plan` does. @module */

import { inputOf, type OtherMachine, planFromReport, type ReportPlan } from "../../capacity/from_report.ts";
import { planRoutes } from "../../capacity/plan_routes.ts";
import { readPlanReport, ReportError } from "../../capacity/plan_report.ts";
import { printLine, printNote } from "../../process/print.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { counted } from "../counted.ts";
import { readNamed } from "../named_file.ts";
import { renderTable } from "../table.ts";
import { formatFigure } from "../units.ts";
import { readUpstream, renderRoutes } from "../routes_report.ts";

/** Plans and prints. */
export async function runPlan(args: Arguments): Promise<number> {
  const loads = readLoads(args.values.get("load")!);
  const number = (name: string, max: number) => numberOption(args, name, { min: 1, max, integer: true });
  const changes = {
    workers: number("workers", 1024),
    threads: number("threads", 1024),
    requestsMax: number("requests", 1e6),
    seed: numberOption(args, "seed", { min: 0, max: 2 ** 31, integer: true }),
    machine: await readMachine(args),
  };
  const [path] = args.positional;
  const text = await readNamed(path);
  try {
    const report = readPlanReport(text);
    const file = args.values.get("upstream");
    if (file !== undefined) {
      const upstream = readUpstream(await readNamed(file, "upstream"), file);
      const plans = loads.map((load) => planRoutes(inputOf(report, changes).input, load, upstream));
      printLine(args.switches.has("json") ? JSON.stringify(plans) : plans.map(renderRoutes).join("\n\n"));
      return 0;
    }
    const plan = planFromReport(report, loads, changes);
    noteOtherThreads(changes.machine, plan, args.values.get("bench"));
    printLine(args.switches.has("json") ? JSON.stringify(plan) : renderPlan(plan));
    return 0;
  } catch (error) {
    if (error instanceof ReportError) throw new Error(`${path}: ${error.message}`);
    throw error;
  }
}

/** "1x,20x" → 1, 20. */
export function readLoads(text: string): number[] {
  return text.split(",").map((part) => {
    const match = /^(\d+(?:\.\d+)?)[x×]?$/.exec(part.trim());
    const load = match === null ? NaN : Number(match[1]);
    if (load >= 0.001 && load <= 1e6) return load;
    throw new UsageError(
      `--load takes loads such as 1x,20x from 0.001x to 1000000x, current value is ${part}`,
    );
  });
}

/** The machine that is asked about, if it is another. */
async function readMachine(args: Arguments): Promise<BenchedMachine | undefined> {
  const file = args.values.get("bench");
  const readGBps = numberOption(args, "read", { min: 0.01, max: 1e6 });
  const peakGmacps = numberOption(args, "peak", { min: 0.01, max: 1e9 });
  if (file !== undefined) {
    if (readGBps !== undefined || peakGmacps !== undefined) {
      throw new UsageError("--bench has the figures of a machine, it takes no --read and no --peak");
    }
    return machineOfBench(await readNamed(file, "bench"), file);
  }
  if ((readGBps === undefined) !== (peakGmacps === undefined)) {
    throw new UsageError("Another machine needs both --read and --peak");
  }
  return readGBps === undefined ? undefined : { readGBps, peakGmacps: peakGmacps!, from: "data sheet" };
}

/** A machine as its bench has seen it, with so many threads. */
type BenchedMachine = OtherMachine & { readonly threads?: number };

/** Says it where a bench ran with other threads than are planned with: bandwidth and peaks go with them. */
function noteOtherThreads(
  machine: BenchedMachine | undefined,
  { workers, threads }: ReportPlan,
  file: string | undefined,
): void {
  const planned = workers * threads, { threads: benched } = machine ?? {};
  if (benched === undefined || benched === planned) return;
  printNote(
    `kumi: ${file} was measured with ${
      counted(benched, "thread")
    }, the plan has ${planned}: its bandwidth and peaks are of ${benched}`,
  );
}

/** The limits that `kumi bench --json` has measured. Throws an Error where there are none. */
export function machineOfBench(text: string, path: string): BenchedMachine {
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    let limits: { readGBps?: unknown; gmacps?: Record<string, unknown> } | undefined, threads: unknown;
    try {
      ({ limits, threads } = JSON.parse(line));
    } catch {
      continue;
    }
    const peaks = Object.values(limits?.gmacps ?? {}).filter((value) =>
      typeof value === "number" && value > 0
    );
    const read = limits?.readGBps;
    if (typeof read === "number" && read > 0 && peaks.length > 0) {
      const machine = { readGBps: read, peakGmacps: Math.max(...peaks as number[]), from: "bench" } as const;
      return typeof threads === "number" ? { ...machine, threads } : machine;
    }
  }
  throw new Error(`${path} has no limits of a machine: kumi bench --json writes them`);
}

const MACHINES = {
  measured: "this machine",
  bench: "another machine, from figures of its own bench: a forecast",
  "data sheet": "another machine, from its data sheet: a rough forecast",
} as const;

function renderPlan(plan: ReportPlan): string {
  const ms = (value: number | null) => value === null ? "-" : formatFigure(value);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows = plan.loads.flatMap(({ load, machines, prediction, classes }) =>
    classes.map((each, i) => [
      ...i > 0 ? ["", "", "", ""] : [
        `${load}×`,
        machines === null ? "none" : `${machines}`,
        formatFigure(load * plan.baseRequestsPerSecond),
        formatFigure(prediction.answerTokensPerSecond),
      ],
      each.class,
      ms(each.ttftMs.p50),
      ms(each.ttftMs.p95),
      ms(each.itlMs.p50),
      ms(each.itlMs.p95),
      ms(each.e2eMs.p95),
      percent(each.goodShare),
    ])
  );
  const from = plan.baseFrom === "traffic"
    ? "the traffic's own rate"
    : "what one machine carried in the trial";
  const lines = [
    `predicted for ${MACHINES[plan.machine]}, ${counted(plan.workers, "worker")} of ${
      counted(plan.threads, "thread")
    }`,
    `1×: ${formatFigure(plan.baseRequestsPerSecond)} requests/s, ${from}; one machine carries ${
      plan.perMachineLoad === null
        ? "no part of it within the objectives"
        : `${formatFigure(plan.perMachineLoad)}×`
    }${
      plan.measuredLoad === null
        ? ""
        : `; the trial measured ${formatFigure(plan.measuredLoad)}× on its machine`
    }`,
  ];
  const table = renderTable(
    [
      "load",
      "machines",
      "requests/s",
      "tokens/s",
      "class",
      "TTFT p50",
      "p95 ms",
      "ITL p50",
      "p95 ms",
      "E2E p95",
      "good",
    ],
    rows,
  );
  return `${lines.join("\n")}\n\n${table}`;
}
