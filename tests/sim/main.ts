/**
 * `deno task sim`: runs the scheduler, the router and the KV bookkeeping under a simulation that injects
 * faults.
 * @module
 */

import { parseArgs } from "@std/cli";
import { BREAKS } from "./breaks.ts";
import { addConfusions, type Confusion } from "./confusion.ts";
import { judgeTraffic } from "./judge.ts";
import { measureMixed, type MixedLoad, SLOW_COST } from "./mixed.ts";
import { countRepeats, parsePrefixTrace, replayPrefixes } from "./prefix_replay.ts";
import { createScenario } from "./scenario.ts";
import { Simulation } from "./simulation.ts";
import { measureAdmission, measureScheduling, measureStep } from "./speed.ts";
import { compareSnapshotRules, parseTurns } from "./state_replay.ts";
import { createTraffic, TRAFFIC_NAMES } from "./traffic.ts";
import { INVARIANTS, Violation } from "./violation.ts";

const HELP = `usage: deno task sim [options]

  --seed N          run this seed (default 0) and print what happened
  --seeds COUNT     run so many seeds from --seed on
  --steps N         stop each run after so many steps
  --break NAME      plant a bug; "list" lists them. Exit status 0 when it is caught
  --prefixes FILE   hits of the prefix cache on a trace with hash_ids, beside LRU and Belady's optimum
  --states FILE     what a model with states finds of such a trace, by which of them are kept
  --speed           what scheduling costs, and how much is recomputed when KV blocks are short
  --mixed           latencies and throughput of urgent and bulk requests side by side, in simulated time
  --admission       what refusals and acceptances come to when traffic changes, in simulated time
  --only TEXT       of --admission: changes whose names contain this
  --stalls PERCENT  of --admission: so many steps take five times as long
  --help            this text`;

/** Capacities of the prefix cache, in blocks of the trace. */
const CAPACITIES = [1000, 10_000, 50_000];
/** Seeds tried for a planted bug. */
const BREAK_SEEDS = 300;

function count(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!/^\d+$/.test(value)) throw new RangeError(`--${name} must be a number, current value is ${value}`);
  return Number(value);
}

/** Runs seeds in turn; the first violation ends it. */
function runSeeds(first: number, seeds: number, stepsMax: number): number {
  const totals: Record<string, number> = {};
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      const { ended, ...report } = new Simulation(createScenario(seed)).run(stepsMax);
      for (const [name, value] of Object.entries({ ...report, ...ended })) {
        totals[name] = (totals[name] ?? 0) + value;
      }
    } catch (error) {
      console.log(`seed ${seed}: ${error instanceof Violation ? error.message : (error as Error).stack}`);
      return 1;
    }
  }
  for (const [name, value] of Object.entries(totals)) console.log(`${name.padEnd(16)}${value}`);
  console.log(`${seeds === 1 ? `seed ${first}` : `${seeds} seeds`}: every invariant held after every event`);
  return 0;
}

function runBreak(name: string, firstSeed: number, stepsMax: number): number {
  if (name === "list") {
    for (const [each, { what, invariant }] of Object.entries(BREAKS)) {
      console.log(`${each.padEnd(18)}${what} (${invariant})`);
    }
    console.log("");
    for (const [each, what] of Object.entries(INVARIANTS)) console.log(`${each.padEnd(18)}${what}`);
    return 0;
  }
  const planted = Object.hasOwn(BREAKS, name) ? BREAKS[name] : undefined;
  if (planted === undefined) {
    throw new RangeError(`no planted bug is called ${name}; --break list lists them`);
  }
  for (let seed = firstSeed; seed < firstSeed + BREAK_SEEDS; seed++) {
    try {
      new Simulation(createScenario(seed), planted).run(stepsMax);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      if (error.invariant !== planted.invariant) continue;
      console.log(`seed ${seed} catches it: ${error.message}`);
      return 0;
    }
  }
  console.log(`${name} was not caught by ${planted.invariant} in ${BREAK_SEEDS} seeds`);
  return 1;
}

function replay(path: string): number {
  const trace = parsePrefixTrace(Deno.readTextFileSync(path));
  const blocks = trace.reduce((sum, ids) => sum + ids.length, 0);
  console.log(`${trace.length} requests, ${blocks} blocks, of which ${countRepeats(trace)} repeat a prefix`);
  console.log("  capacity       hits        LRU   share of LRU   Belady");
  for (const capacity of CAPACITIES) {
    const { tree, lru, belady } = replayPrefixes(trace, capacity);
    const share = `${(100 * tree / lru).toFixed(2)} %`;
    const cells = [String(capacity).padStart(10), String(tree).padStart(11), String(lru).padStart(11)];
    console.log(`${cells.join("")}${share.padStart(15)}${String(belady).padStart(9)}`);
  }
  return 0;
}

/** Memory for states and KV blocks, in GB of a model with 0.5 MB a block and 50 MB a state. */
const STATE_MEMORY_GB = [8, 32];
const BLOCKS_PER_GB = 2000, STATE_BLOCKS = 100;
/** Requests of the trace that are replayed. */
const TURNS_MAX = 2000;

function replayWithStates(path: string): number {
  const lines = Deno.readTextFileSync(path).split("\n").slice(0, TURNS_MAX);
  const turns = parseTurns(lines.join("\n"));
  const blocks = turns.reduce((sum, { promptBlocks }) => sum + promptBlocks, 0);
  console.log(
    `${turns.length} requests, ${blocks} blocks of prompts; a state takes as much as ${STATE_BLOCKS}`,
  );
  for (const gb of STATE_MEMORY_GB) {
    console.log(`${gb} GB of memory`.padEnd(54) + "found   of all   snapshots");
    const memory = { blocks: gb * BLOCKS_PER_GB, slotBlocks: STATE_BLOCKS };
    for (const { name, found, snapshots } of compareSnapshotRules(turns, memory)) {
      const share = `${(100 * found / blocks).toFixed(2)} %`;
      console.log(
        `  ${name}`.padEnd(48) + String(found).padStart(11) + share.padStart(9) +
          String(snapshots).padStart(12),
      );
    }
  }
  return 0;
}

function speed(): number {
  for (const memoryShare of [1, 0.1, 0.03, 0.01]) {
    const { requestsPerSecond, stepUs, recomputedShare, preemptions } = measureScheduling({
      requests: 1000,
      memoryShare,
    });
    console.log(
      `KV blocks for ${100 * memoryShare} % of all requests: ${requestsPerSecond.toFixed(0)} requests/s, ` +
        `${stepUs.toFixed(0)} µs a step, ${preemptions} preemptions, ` +
        `${(100 * recomputedShare).toFixed(1)} % of the tokens recomputed`,
    );
  }
  stepCosts();
  for (const waiting of [0, 32, 256, 2000]) {
    const { submitUs, outlookUs } = measureAdmission({ running: 32, waiting, samples: 200 });
    console.log(
      `32 running, ${waiting} waiting: ${submitUs.toFixed(0)} µs submit(), ${
        outlookUs.toFixed(0)
      } µs outlook()`,
    );
  }
  return 0;
}

function stepCosts(): void {
  for (const isShort of [false, true]) {
    const { planUs, completeUs } = measureStep({ running: 32, waiting: 1000, steps: 2000, isShort });
    console.log(
      `32 running, 1000 waiting for ${isShort ? "KV blocks" : "a place"}: ${
        (planUs + completeUs).toFixed(0)
      } µs a step, ` +
        `${planUs.toFixed(1)} µs plan(), ${completeUs.toFixed(1)} µs complete()`,
    );
  }
}

function mixed(): number {
  console.log("                                 ITL p50, p99    TTFT p50, p99 ms   tokens/s   refused");
  const show = (title: string, load: MixedLoad) => {
    const { itlP50Ms, itlP99Ms, ttftP50Ms, ttftP99Ms, tokensPerSecond, refusedShare } = measureMixed(load);
    const cells = [itlP50Ms, itlP99Ms, ttftP50Ms, ttftP99Ms, tokensPerSecond];
    console.log(
      title.padEnd(31) +
        cells.map((value) => (Number.isNaN(value) ? "–" : value.toFixed(0)).padStart(9)).join("") +
        `${(100 * refusedShare).toFixed(0)} %`.padStart(10),
    );
  };
  const load = 0.9, minutes = 20;
  show("90 % load, two classes", { load, bulk: "arriving", minutes });
  show("90 % load, one class", { load, bulk: "arriving", isMerged: true, minutes });
  show("bulk alone", { load, bulk: "alone", minutes });
  show("backlog beside 20 % load", { load: 0.2, bulk: "backlog", minutes });
  const slow = { cost: SLOW_COST, ttftSloMs: 10_000, minutes };
  show("slow: 30 % load", { ...slow, load: 0.3, bulk: "arriving" });
  show("slow: 60 % load", { ...slow, load: 0.6, bulk: "arriving" });
  show("slow: bulk alone", { ...slow, load, bulk: "alone" });
  show("slow: backlog beside 20 % load", { ...slow, load: 0.2, bulk: "backlog" });
  return 0;
}

/** Refusals that are judged in each run. */
const REFUSALS_JUDGED = 40;

function admission(
  { seed: firstSeed, seeds, only, stalls }: { seed: number; seeds: number; only: string; stalls: number },
): number {
  const share = (part: number, all: number) => all === 0 ? "–" : `${(100 * part / all).toFixed(1)} %`;
  const show = (title: string, { taken, inTime, refused, judged, late }: Confusion) =>
    console.log(
      title.padEnd(40) + `${taken}`.padStart(8) + share(inTime, taken).padStart(10) +
        `${refused}`.padStart(9) + `${judged}`.padStart(8) + share(late, judged).padStart(9),
    );
  console.log(`${"".padEnd(40)}   taken   in time  refused  judged    right`);
  const changes: Confusion[] = [], bearable: Confusion[] = [];
  for (const name of TRAFFIC_NAMES.filter((each) => each.includes(only))) {
    const runs: Confusion[] = [];
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      runs.push(judgeTraffic(createTraffic(name, seed), { seed, stalls }, REFUSALS_JUDGED));
    }
    show(name, addConfusions(runs));
    (createTraffic(name, firstSeed).isBearable ? bearable : changes).push(...runs);
  }
  show("all that are below capacity", addConfusions(bearable));
  show("all others", addConfusions(changes));
  return 0;
}

/** Runs the command; returns the exit status. Throws a RangeError for what the user has to change. */
export function simCommand(args: string[]): number {
  const options = parseArgs(args, {
    string: ["seed", "seeds", "steps", "break", "prefixes", "states", "only", "stalls"],
    boolean: ["speed", "mixed", "admission", "help"],
    unknown: (name) => {
      throw new RangeError(`unknown option ${name}\n${HELP}`);
    },
  });
  const seed = count("seed", options.seed, 0);
  const steps = count("steps", options.steps, Infinity);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  if (options.prefixes !== undefined) return replay(options.prefixes);
  if (options.states !== undefined) return replayWithStates(options.states);
  if (options.speed) return speed();
  if (options.mixed) return mixed();
  if (options.admission) {
    const stalls = count("stalls", options.stalls, 0) / 100;
    return admission({ seed, seeds: count("seeds", options.seeds, 3), only: options.only ?? "", stalls });
  }
  if (options.break !== undefined) return runBreak(options.break, seed, steps);
  return runSeeds(seed, count("seeds", options.seeds, 1), steps);
}

if (import.meta.main) {
  try {
    Deno.exit(simCommand(Deno.args));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
