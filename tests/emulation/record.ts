/**
 * Records the calls into the kernel library of forward passes of the demo model, in Q8_0, in Q4_K and with K and V in q8_0, and of small models with
 * experts, with states of sequences and with latent attention, for kernels/src/programs/replay.zig: deno run record.ts FILE [FLAGS], with flags for another deno. The logits'
 * hashes are compared with the committed ones.
 * @module
 */

import { assertEquals } from "@std/assert";
import { wrapLibraries } from "../../bench/support/wrap_library.ts";
import type { KernelSymbols } from "../../src/ffi/library.ts";
import { symbols } from "../../src/ffi/symbols.ts";
import { openGguf } from "../../src/gguf/mod.ts";
import { writeRandomModel } from "../../src/models/random_model.ts";
import { loadModelRunner, type ModelRunner } from "../../src/runner/model_runner.ts";
import { tablesOf } from "../../scheduler/testing/tables.ts";

const MODELS = new URL("../../examples/demo-model/", import.meta.url);
/**
 * SHA-256 of the logits that each format gives, or random weights in Q4_K of a model in {@linkcode SHAPES}, on every instruction
 * set.
 */
export const GOLDENS: Readonly<Record<string, string>> = {
  q8_0: "5beb4014a70141690c4faff8c450f01c0aa5eab495db0a12ca1909c03e6fde6c",
  q4_k: "d0376b1eae1d7801e882342b11d393a6d32eaf666ed4bb5db73d5fa8fc6f9fe8",
  kv_q8_0: "6f7d09871085cd6b91c379f77b5ad6efdf5666743f0017337df965cb6d30a2b6",
  states: "8273f6d21ebdf8ed484c628f8a462548f36a0c80ed22bfac4c4faa03890405f5",
  latent: "71ff62634144ffa39bffe8149b5ffb1d00963af0f54f20ce2c4a3a6a84381d1b",
  experts: "39a70d0e2af39409c4bdf848276e69dd02707d9200ba1836314a64cb97eda433",
};
/** The one in Q4_K whose K and V are not f16. */
const KV_Q8_0 = "kv_q8_0";
/** Models with random weights. */
const SHAPES: Readonly<Record<string, string>> = {
  experts: "qwen2moe-tiny",
  states: "qwen35-tiny",
  latent: "deepseek2-tiny",
};
/** Ask the machine, or depend on it: not a part of the computation. */
const LEFT_OUT =
  /^kumi_(isa_|available_|processor_|usable_|numa_|context_(info|set_stop|arm|disarm|stay|roam)|thread_|measure)/;

/** The format is described in replay.zig. */
class Recorder {
  readonly #parts: Uint8Array[] = [];

  begin(format: string): void {
    this.#name(`#${format}`);
  }

  #name(name: string): void {
    const bytes = new TextEncoder().encode(name);
    this.#parts.push(Uint8Array.of(bytes.length), bytes);
  }

  #number(value: number, type: "u32" | "f32" | "i32" | "u8"): void {
    const view = new DataView(new ArrayBuffer(type === "u8" ? 1 : 4));
    if (type === "f32") view.setFloat32(0, value, true);
    else if (type === "i32") view.setInt32(0, value, true);
    else if (type === "u32") view.setUint32(0, value, true);
    else view.setUint8(0, value);
    this.#parts.push(new Uint8Array(view.buffer));
  }

  /** The native functions, each writing down what it is called with and what it gives. */
  wrap(native: KernelSymbols): KernelSymbols {
    const wrapped: Record<string, unknown> = {};
    for (const [name, { parameters }] of Object.entries(symbols)) {
      const call = (native as unknown as Record<string, (...args: unknown[]) => number>)[name];
      const isLeftOut = LEFT_OUT.test(name) || name === "kumi_abi_hash";
      wrapped[name] = isLeftOut ? call : (...args: unknown[]) => this.#call(name, parameters, call, args);
    }
    return wrapped as unknown as KernelSymbols;
  }

  #call(
    name: string,
    types: readonly string[],
    call: (...args: unknown[]) => number,
    args: readonly unknown[],
  ): number {
    const before = args.map((arg) => ArrayBuffer.isView(arg) ? bytesOf(arg).slice() : null);
    const result = call(...args);
    this.#name(name);
    this.#number(result, "i32");
    args.forEach((arg, i) => {
      const content = before[i];
      if (content === null) return this.#number(arg as number, types[i] as "u32" | "f32");
      const after = bytesOf(arg as ArrayBufferView);
      const isWritten = after.some((byte, j) => byte !== content[j]);
      this.#number(after.length, "u32");
      this.#number(isWritten ? 1 : 0, "u8");
      this.#parts.push(after.slice());
    });
    return result;
  }

  async save(path: string): Promise<void> {
    await Deno.writeFile(path, new Uint8Array(await new Blob(this.#parts as BlobPart[]).arrayBuffer()));
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A prompt of 21 tokens beside one of 5, then a token of each: prefill, a mixed batch, and decode. */
function logitsOf(runner: ModelRunner): Uint8Array {
  const vocab = runner.hyperparameters.vocab;
  const first = Array.from({ length: 22 }, (_, i) => (i * 37 + 11) % vocab);
  const second = Array.from({ length: 6 }, (_, i) => (i * 101 + 5) % vocab);
  runner.forward([{ tokens: first, first: 0, count: 12, tables: tablesOf([0, 1]) }]);
  runner.forward([
    { tokens: first, first: 12, count: 9, tables: tablesOf([0, 1]) },
    { tokens: second, first: 0, count: 5, tables: tablesOf([2]) },
  ]);
  runner.logits([8, 13]);
  const prefill = runner.readLogits();
  runner.forward([
    { tokens: first, first: 21, count: 1, tables: tablesOf([0, 1]) },
    { tokens: second, first: 5, count: 1, tables: tablesOf([2]) },
  ]);
  runner.logits([0, 1]);
  const decode = runner.readLogits();
  return bytesOf(Float32Array.of(...prefill, ...decode));
}

async function recordPass(recorder: Recorder, format: string, path: string): Promise<void> {
  using _ = wrapLibraries((symbols) => recorder.wrap(symbols));
  recorder.begin(format);
  using file = await openGguf(path);
  const kvFormat = format === KV_Q8_0 ? "q8_0" as const : undefined;
  const sizes = {
    kvFormat,
    threads: 1,
    contextLength: 64,
    kvTokens: 64,
    batchTokensMax: 16,
    logitsRowsMax: 2,
  };
  using runner = await loadModelRunner(file, sizes);
  const digest = await crypto.subtle.digest("SHA-256", logitsOf(runner) as BufferSource);
  assertEquals(new Uint8Array(digest).toHex(), GOLDENS[format], `logits of ${format}`);
}

/** In a process of its own: this one's objects must have the numbers that they will have in the replay. */
async function quantize(target: string, format: string): Promise<void> {
  const source = decodeURIComponent(new URL("kumi-demo-f16.gguf", MODELS).pathname);
  const cli = decodeURIComponent(new URL("../../src/cli/main.ts", import.meta.url).pathname);
  const args = [
    "run",
    "--quiet",
    "--allow-all",
    ...Deno.args.slice(1),
    cli,
    "quantize",
    source,
    target,
    format,
  ];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function main(target: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-record-" });
  try {
    const recorder = new Recorder();
    for (const format of Object.keys(GOLDENS)) {
      const path = `${folder}/${format}.gguf`;
      const shape = SHAPES[format];
      if (shape === undefined) await quantize(path, format === KV_Q8_0 ? "q4_k" : format);
      else await writeRandomModel(path, { shape, format: "q4_k" });
      await recordPass(recorder, format, path);
    }
    await recorder.save(target);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args[0]);
