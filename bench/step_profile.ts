/**
 * How much of a decode step is spent outside the kernels: in TypeScript, and in the calls between the two.
 *
 * deno task run bench/step_profile.ts [--shape llama-1b] [--format q4_k] [--model FILE] [--threads N]
 * [--steps 60]
 *
 * Every native function is wrapped in a stopwatch, here and not in the product. What a step takes beyond the
 * time in native functions is TypeScript, the stopwatch included, so the share is an upper bound; the table
 * shows about how much of it the stopwatch is. What crossing to native code and back costs is measured by
 * calls that do next to nothing, and added. Medians over single steps, with logits and a greedy choice.
 * @module
 */

import { parseArgs } from "@std/cli";
import { prepare } from "../src/cli/bench/cases.ts";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { type KernelSymbols, Library } from "../src/ffi/library.ts";
import { type NativeFunction, wrapLibraries } from "./support/wrap_library.ts";
import { activationForms } from "../src/ffi/symbols.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner, type ModelRunner } from "../src/runner/model_runner.ts";

/** Time in native functions since the last reset. */
class Stopwatch {
  ms = 0;
  calls = 0;

  reset(): void {
    this.ms = 0;
    this.calls = 0;
  }

  /** The same functions, timed. */
  wrap(symbols: KernelSymbols): KernelSymbols {
    const timed = Object.entries(symbols).map((
      [name, call],
    ) => [name, this.#wrapOne(call as NativeFunction)]);
    return Object.fromEntries(timed);
  }

  /** Milliseconds that it adds to a step per call and does not count itself. */
  costMs(): number {
    const nothing = this.#wrapOne(() => 0);
    const rounds = 200_000;
    this.reset();
    const started = performance.now();
    for (let i = 0; i < rounds; i++) nothing(0, 2048);
    return (performance.now() - started - this.ms) / rounds;
  }

  #wrapOne(call: NativeFunction): NativeFunction {
    return (...args) => {
      const started = performance.now();
      const status = call(...args);
      this.ms += performance.now() - started;
      this.calls++;
      return status;
    };
  }
}

/** Milliseconds of one call that does next to nothing. */
function crossingMs(): number {
  const library = Library.acquire();
  const { kumi_activation_bytes: call } = library.symbols;
  const rounds = 1_000_000;
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    for (let j = 0; j < rounds; j++) call(activationForms.per32, 1, 2048);
    best = Math.min(best, (performance.now() - started) / rounds);
  }
  library.release();
  return best;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

interface StepProfile {
  readonly stepMs: number;
  readonly outsideMs: number;
  readonly calls: number;
}

function profile(runner: ModelRunner, watch: Stopwatch, batch: number, steps: number): StepProfile {
  const step = prepare(runner, { test: "decode", tokens: 1, batch, depth: DEPTH });
  const totals: number[] = [], outside: number[] = [];
  let calls = 0;
  for (let i = -WARM_UP; i < steps; i++) {
    watch.reset();
    const ms = step.run() * 1000;
    if (i < 0) continue;
    totals.push(ms);
    outside.push(ms - watch.ms);
    calls = watch.calls;
  }
  return { stepMs: median(totals), outsideMs: median(outside), calls };
}

/** Tokens in each sequence's cache. */
const DEPTH = 63;
/** Steps until V8 has compiled what they run. */
const WARM_UP = 20;
const BATCHES = [1, 32];

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["shape", "format", "model", "steps", "threads"],
    default: { shape: "llama-1b", format: "q4_k", steps: "60" },
  });
  const path = args.model ?? await randomModelFile(args.shape!, args.format!);
  const crossing = crossingMs();
  const watch = new Stopwatch();
  const watching = watch.costMs();
  wrapLibraries((symbols) => watch.wrap(symbols));
  using file = await openGguf(path);
  const threads = args.threads === undefined ? undefined : Number(args.threads);
  const kvTokens = (DEPTH + 1) * Math.max(...BATCHES);
  using runner = await loadModelRunner(file, { threads, contextLength: DEPTH + 1, kvTokens });
  const rows = BATCHES.map((batch) => {
    const { stepMs, outsideMs, calls } = profile(runner, watch, batch, Number(args.steps));
    const crossings = calls * crossing;
    return [
      `${batch}`,
      stepMs.toFixed(2),
      `${calls}`,
      (outsideMs * 1000).toFixed(0),
      (calls * watching * 1000).toFixed(0),
      (crossings * 1000).toFixed(1),
      `${((outsideMs + crossings) / stepMs * 100).toFixed(2)} %`,
    ];
  });
  console.log(`${path}, ${processorName()}, ${runner.kernels.threads} threads, ${runner.kernels.isa}\n`);
  console.log(
    renderTable(
      ["batch", "step ms", "native calls", "TypeScript µs", "stopwatch µs", "crossing µs", "share"],
      rows,
    ),
  );
}
