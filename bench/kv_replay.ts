/**
 * Request lengths of real traffic through the KV cache's block allocator: waste, sequences at the same time
 * beside a reservation of the longest request, runs at several occupancies, and ns per call.
 *
 * deno task run bench/kv_replay.ts [--folder ../shared/data/traces] [--reserved 16] [--json]
 *
 * The folder holds AzureLLMInferenceTrace_code.csv and _conv.csv (github.com/Azure/AzurePublicDataset). The
 * cache has memory for `--reserved` requests as long as the trace's longest. `kv_replay_model.ts` says how
 * time passes.
 * @module
 */

import { parseArgs } from "@std/cli";
import { renderTable } from "../src/cli/table.ts";
import { KvBlocks } from "../src/ffi/kv_blocks.ts";
import { blocksFor, replay, type ReplayResult, type TraceRequest } from "./kv_replay_model.ts";

const TRACES = ["code", "conv"];
const OCCUPANCIES = [0.5, 0.9, 0.99, 1];

/** Reads TIMESTAMP,ContextTokens,GeneratedTokens. */
export function parseTrace(text: string): TraceRequest[] {
  return text.trim().split(/\r?\n/).slice(1).map((line, i) => {
    const [, prompt, generated] = line.split(",").map(Number);
    if (!(prompt >= 1 && generated >= 1)) {
      throw new Error(`Line ${i + 2} of the trace has no lengths: ${line}`);
    }
    return { prompt, generated };
  });
}

interface Row extends ReplayResult {
  trace: string;
  asked: number;
  ratio: number;
}

function replayTrace(trace: string, requests: readonly TraceRequest[], reserved: number): Row[] {
  const longest = Math.max(...requests.map(({ prompt, generated }) => prompt + generated));
  const blocks = reserved * blocksFor(longest);
  return OCCUPANCIES.map((occupancy) => {
    const result = replay(requests, { blocks, occupancy });
    return { trace, asked: occupancy, ratio: result.sequences / reserved, ...result };
  });
}

function percent(value: number): string {
  return `${(100 * value).toFixed(3)} %`;
}

function printRows(rows: readonly Row[]): void {
  console.log(renderTable(
    ["trace", "asked", "occupied", "sequences", "of reserved", "waste", "p99", "of cache", "p99"],
    rows.map((row) => [
      row.trace,
      `${100 * row.asked} %`,
      `${(100 * row.occupancy).toFixed(1)} %`,
      row.sequences.toFixed(1),
      `${row.ratio.toFixed(2)}×`,
      percent(row.waste),
      percent(row.wasteP99),
      percent(row.wasteOfCache),
      percent(row.wasteOfCacheP99),
    ]),
  ));
  console.log();
  console.log(renderTable(
    ["trace", "asked", "blocks a run", "runs a sequence", "external fragmentation", "preemptions"],
    rows.map((row) => [
      row.trace,
      `${100 * row.asked} %`,
      row.runBlocks.toFixed(1),
      row.runsPerSequence.toFixed(2),
      row.externalFragmentation.toFixed(3),
      String(row.preemptions),
    ]),
  ));
}

/** ns per call from here, the least of several passes. */
function callTimes(): Record<string, number> {
  using kv = KvBlocks.open(16_384);
  const calls = 20_000;
  const best: Record<string, number> = { allocate64: Infinity, grow: Infinity, release64: Infinity };
  const time = (name: string, call: (i: number) => void, count: number) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) call(i);
    best[name] = Math.min(best[name], (performance.now() - start) * 1e6 / count);
  };
  for (let pass = 0; pass < calls / 128; pass++) {
    const firsts: number[] = [];
    time("allocate64", () => firsts.push(kv.allocate(64, undefined, 8)![0].first), 128);
    time("grow", (i) => kv.allocate(1, firsts[i] + 63), 128);
    time("release64", (i) => kv.release(firsts[i], 65), 128);
  }
  return best;
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["folder", "reserved"],
    boolean: ["json"],
    default: { folder: "../shared/data/traces", reserved: "16", json: false },
  });
  const rows = TRACES.flatMap((trace) => {
    const text = Deno.readTextFileSync(`${args.folder}/AzureLLMInferenceTrace_${trace}.csv`);
    return replayTrace(trace, parseTrace(text), Number(args.reserved));
  });
  const times = callTimes();
  if (args.json) {
    console.log(JSON.stringify({ rows, nanosecondsPerCall: times }, null, 2));
  } else {
    printRows(rows);
    const list = Object.entries(times).map(([name, ns]) => `${name} ${ns.toFixed(0)} ns`);
    console.log(`\nA call from TypeScript: ${list.join(", ")}`);
  }
}
