/**
 * How fast a model is ready, beside reading its file from the page cache and writing as many bytes once, and
 * how much memory loading takes at most, beside the packed weights.
 *
 * deno task run bench/loading.ts [--shape llama-1b] [--format q4_k] [--model FILE] [--threads N] [--repeat 5]
 *
 * They take turns; medians. A model is loaded twice in a row: the second time its memory is at hand, while
 * after a pause a virtual machine's host has to find it first, which can take longer than all the rest.
 * Reading and writing go to memory that was touched before, and once more to fresh memory. The peak is VmHWM
 * after the very first loading (Linux), Deno itself included.
 * @module
 */

import { parseArgs } from "@std/cli";
import process from "node:process";
import { randomModelFile } from "../src/cli/bench/random_model_file.ts";
import { processorName } from "../src/cli/system.ts";
import { renderTable } from "../src/cli/table.ts";
import { Kernels } from "../src/ffi/context.ts";
import { Library } from "../src/ffi/library.ts";
import { structs } from "../src/ffi/symbols.ts";
import { type GgufFile, openGguf } from "../src/gguf/mod.ts";
import { loadModelRunner } from "../src/runner/model_runner.ts";

const MIB = 1 << 20;

/** What the peak of a process consists of, in bytes. */
interface PeakMemory {
  /** Peak before loading: Deno, the modules, the file's header. */
  readonly before: number;
  readonly after: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Milliseconds on the clock, and of CPU time over all threads: on a busy machine the second says more. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

async function time(action: () => unknown): Promise<Sample> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await action();
  const wall = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, cpu: (user + system) / 1000 };
}

async function load(path: string, threads: number | undefined): Promise<void> {
  using file = await openGguf(path);
  using _runner = await loadModelRunner(file, { threads });
}

function read(path: string, target: Uint8Array): void {
  using file = Deno.openSync(path);
  for (let done = 0; done < target.length;) done += file.readSync(target.subarray(done)) ?? target.length;
}

/** Bytes of the matrices as they lie in memory. */
function packedBytes(file: GgufFile): number {
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 0 });
  const library = Library.acquire();
  const info = new Uint32Array(structs.WeightsInfo.bytes / 4);
  let bytes = 0;
  for (const { type, dims: [k, rows] } of file.tensors.values()) {
    if (rows === undefined) continue;
    using weights = kernels.createWeights(type, rows, k); // takes no memory until something is packed
    library.symbols.kumi_weights_info(weights.id, info, info.byteLength);
    bytes += info[structs.WeightsInfo.fields.packedKib.offset / 4] * 1024;
  }
  library.release();
  return bytes;
}

function peakBytes(): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]) * 1024;
}

/** Loads once; to be called before anything else takes memory. */
async function measurePeaks(path: string, threads: number | undefined): Promise<PeakMemory> {
  using file = await openGguf(path);
  const before = peakBytes();
  using _runner = await loadModelRunner(file, { threads });
  return { before, after: peakBytes() };
}

async function measureTimes(path: string, threads: number | undefined, repeat: number) {
  const bytes = Deno.statSync(path).size;
  const [touched, copy] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(1)];
  const samples = {
    first: [] as Sample[],
    load: [] as Sample[],
    reference: [] as Sample[],
    fresh: [] as Sample[],
  };
  for (let round = -1; round < repeat; round++) {
    const first = await time(() => load(path, threads));
    const loading = await time(() => load(path, threads));
    const reference = await time(() => (read(path, touched), copy.set(touched)));
    let target = new ArrayBuffer(0);
    const fresh = await time(() => {
      read(path, touched);
      target = new ArrayBuffer(bytes);
      new Uint8Array(target).set(touched);
    });
    target.transfer(0); // the memory goes back at once, as loading's does
    if (round < 0) continue; // the first round brings the file into the page cache
    samples.first.push(first);
    samples.load.push(loading);
    samples.reference.push(reference);
    samples.fresh.push(fresh);
  }
  return samples;
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, {
    string: ["shape", "format", "model", "repeat", "threads"],
    default: { shape: "llama-1b", format: "q4_k", repeat: "5" },
  });
  const path = args.model ?? await randomModelFile(args.shape!, args.format!);
  const threads = args.threads === undefined ? undefined : Number(args.threads);
  const peaks = await measurePeaks(path, threads);
  const times = await measureTimes(path, threads, Number(args.repeat));
  using file = await openGguf(path);
  const mib = (value: number) => `${(value / MIB).toFixed(0)} MiB`;
  const row = (name: string, samples: readonly Sample[]) => [
    name,
    ...(["wall", "cpu"] as const).flatMap((kind) => {
      const [ms, loading] = [samples, times.load].map((list) => median(list.map((sample) => sample[kind])));
      return [`${ms.toFixed(0)} ms`, `${(loading / ms).toFixed(2)}×`];
    }),
  ];
  console.log(`${path}, ${mib(file.fileBytes)}, ${processorName()}\n`);
  console.log(renderTable(["", "time", "loading takes", "CPU time", "loading takes"], [
    row("loading again, header included", times.load),
    row("loading after a pause", times.first),
    row("reading and writing, memory touched before", times.reference),
    row("reading and writing, fresh memory", times.fresh),
  ]));
  const weights = packedBytes(file);
  console.log(
    `\npeak memory ${mib(peaks.after)}, ${(peaks.after / weights).toFixed(3)}× the packed weights of ${
      mib(weights)
    }; ` +
      `${mib(peaks.before)} of it before loading`,
  );
}
