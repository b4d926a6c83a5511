/** Importances: measured in a model, in files, and in what the quantizer makes of them. */

import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Kernels } from "../src/ffi/context.ts";
import {
  compareTensors,
  GgufError,
  GgufWriter,
  ImportanceMatrix,
  openGguf,
  planQuantization,
  quantizeFile,
  readImportance,
  tensorType,
  writeImportance,
} from "../src/gguf/mod.ts";
import { compareModels } from "../src/runner/compare.ts";
import { collectImportance, ImportanceCollector } from "../src/runner/importance.ts";
import { soloTables } from "../src/runner/kv_groups.ts";
import { loadModelRunner, type RunnerOptions } from "../src/runner/model_runner.ts";
import { TemporaryFolder } from "./support/models.ts";

const WINDOW = 32;
const TOKENS = Array.from({ length: 100 }, (_, i) => (i * 37 + 5) % 500);
const OPTIONS: RunnerOptions = { contextLength: 64, threads: 1 };

async function importanceOf(path: string) {
  using file = await openGguf(path);
  const collector = new ImportanceCollector();
  using runner = await loadModelRunner(file, { ...OPTIONS, onProduct: collector.listener });
  return await collectImportance(runner, collector, TOKENS, "text.txt", { window: WINDOW });
}

Deno.test("collectImportance() sums the squares of what each matrix multiplies", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f32");
  const { matrices, chunks, chunkTokens } = await importanceOf(path);
  assertEquals([chunks, chunkTokens], [3, WINDOW]);
  using file = await openGguf(path);
  const wanted = [...file.tensors.values()].filter(({ name, dims }) =>
    dims.length > 1 && name.startsWith("blk.")
  );
  assertEquals(new Set(matrices.keys()), new Set(wanted.map(({ name }) => name)));
  for (const { name, dims: [k] } of wanted) {
    assertEquals([matrices.get(name)!.sums.length, matrices.get(name)!.counts], [k, [3 * WINDOW]]);
  }
  // What the first layer's queries are made of follows from the embedding and a norm alone.
  const floats = (name: string) => {
    const bytes = new Uint8Array(file.tensor(name).bytes);
    file.readInto(name, 0, bytes);
    return new Float32Array(bytes.buffer);
  };
  const [table, weight] = [floats("token_embd.weight"), floats("blk.0.attn_norm.weight")];
  const k = weight.length;
  const sums = new Float64Array(k);
  for (const token of TOKENS.slice(0, 3 * WINDOW)) {
    const row = table.subarray(token * k, (token + 1) * k);
    const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / k + 1e-5);
    row.forEach((x, i) => sums[i] += (x * scale * weight[i]) ** 2);
  }
  const measured = matrices.get("blk.0.attn_q.weight")!.sums;
  sums.forEach((sum, i) => assertAlmostEquals(measured[i] / sum, 1, 1e-4));
});

Deno.test("a runner that tells of its products computes the same bits, in float and in int8", async () => {
  using folder = new TemporaryFolder();
  for (const format of ["f16", "q8_0", "q4_k"] as const) {
    using file = await openGguf(await folder.randomModel("llama-tiny", format));
    const logits = async (options: RunnerOptions) => {
      using runner = await loadModelRunner(file, { ...OPTIONS, ...options });
      runner.forward([{
        tokens: TOKENS,
        first: 0,
        count: 20,
        tables: soloTables(runner, 64, { first: 0, count: 20 }),
      }]);
      runner.logits([19]);
      return runner.readLogits();
    };
    let products = 0;
    const told = await logits({
      onProduct: (_, x, columns) => products += x.every(Number.isFinite) && x.length >= columns ? 1 : 0,
    });
    assertEquals(told, await logits({}), format);
    assertEquals(products, 2 * 4 + 1, format);
  }
});

Deno.test("writeImportance() writes what readImportance() reads, as means, and what llama.cpp's tools look for", async () => {
  using folder = new TemporaryFolder();
  const path = `${folder.path}/im.gguf`;
  const matrices = new Map([
    ["blk.0.ffn_down_exps.weight", { sums: [2, 4, 6, 8, 10, 12], counts: [2, 0, 4] }],
    ["blk.0.attn_q.weight", { sums: [3, 6], counts: [3] }],
  ]);
  await writeImportance(path, { matrices, datasets: ["a.txt"], chunks: 7, chunkTokens: 512 });
  {
    using file = await openGguf(path);
    assertEquals(file.entries.map(({ key, type, value }) => [key, type, value]), [
      ["general.type", "string", "imatrix"],
      ["imatrix.datasets", "array", ["a.txt"]],
      ["imatrix.chunk_count", "u32", 7],
      ["imatrix.chunk_size", "u32", 512],
    ]);
    assertEquals([...file.tensors.values()].map(({ name, type, dims }) => [name, type, dims]), [
      ["blk.0.attn_q.weight.in_sum2", 0, [2, 1]],
      ["blk.0.attn_q.weight.counts", 0, [1, 1]],
      ["blk.0.ffn_down_exps.weight.in_sum2", 0, [2, 3]],
      ["blk.0.ffn_down_exps.weight.counts", 0, [1, 3]],
    ]);
  }
  const importance = await readImportance(path);
  assertEquals([importance.name, importance.size, importance.chunks], ["im.gguf", 2, 7]);
  const experts = { name: "blk.0.ffn_down_exps.weight", dims: [2, 5, 3] };
  assertEquals(importance.at(experts, 0), Float32Array.of(1, 2));
  assertEquals(importance.at(experts, 2 * 5), Float32Array.of(1, 1), "an expert that saw nothing");
  assertEquals(importance.at(experts, 2 * 5 * 2 + 4), Float32Array.of(2.5, 3));
  assertEquals(importance.at({ name: "blk.0.attn_k.weight", dims: [2, 5] }, 0), undefined);
  assertThrows(
    () => importance.check([{ ...experts, dims: [4, 5, 3] }], "m.gguf"),
    GgufError,
    "has 6 importances",
  );
  assertThrows(() => importance.check([{ name: "x", dims: [2] }], "m.gguf"), GgufError, "of another model");
});

Deno.test("readImportance() refuses what is no importance file", async () => {
  using folder = new TemporaryFolder();
  const model = await folder.randomModel("llama-tiny", "q8_0");
  await assertRejects(() => readImportance(model), GgufError, "not an importance matrix");
  const old = `${folder.path}/imatrix.dat`;
  await Deno.writeFile(old, new Uint8Array(100).fill(1));
  await assertRejects(() => readImportance(old), GgufError, "llama-imatrix --in-file");
  const bad = `${folder.path}/bad.gguf`;
  const matrices = new Map([["a.weight", { sums: [1, -1], counts: [1] }]]);
  await writeImportance(bad, { matrices, datasets: [], chunks: 1, chunkTokens: 8 });
  await assertRejects(() => readImportance(bad), GgufError, 'importance of "a.weight" is negative');
  const uneven = `${folder.path}/uneven.gguf`;
  {
    const entries = [{ key: "general.type", type: "string", value: "imatrix" } as const];
    const tensors = [{ name: "a.in_sum2", type: 0, dims: [3] }, { name: "a.counts", type: 0, dims: [2] }];
    await using writer = await GgufWriter.create(uneven, { entries, tensors });
    await writer.write(new Uint8Array(12));
    await writer.write(new Uint8Array(8));
    await writer.finish();
  }
  await assertRejects(() => readImportance(uneven), GgufError, "not a multiple of its 2 counts");
});

Deno.test("quantizeFile() with importances errs less where they are large, expert by expert", async () => {
  using folder = new TemporaryFolder();
  using kernels = Kernels.open({ threads: 2, workspaceBytes: 64 });
  const input = `${folder.path}/in.gguf`;
  const name = "blk.0.ffn_down_exps.weight", dims = [512, 8, 3];
  const values = Float32Array.from(
    { length: 512 * 8 * 3 },
    (_, i) => Math.sin(i * 12.9898) * Math.sin(i * 4.1414),
  );
  {
    const entries = [{ key: "general.architecture", type: "string", value: "llama" } as const];
    await using writer = await GgufWriter.create(input, { entries, tensors: [{ name, type: 0, dims }] });
    await writer.write(new Uint8Array(values.buffer));
    await writer.finish();
  }
  // Each expert has other columns that matter.
  const sums = Float32Array.from(
    { length: 512 * 3 },
    (_, i) => (i + Math.floor(i / 512) * 5) % 16 === 0 ? 100 : 1,
  );
  const importance = new ImportanceMatrix("im.gguf", {
    matrices: new Map([[name, { sums, counts: [1, 1, 1] }]]),
    datasets: ["text"],
    chunks: 3,
    chunkTokens: 512,
  });
  const errors = async (format: string, given?: ImportanceMatrix) => {
    const output = `${folder.path}/out.gguf`;
    await quantizeFile(input, output, format, { kernels, importance: given, isPure: true });
    using file = await openGguf(output);
    assertEquals(file.get.has("quantize.imatrix.file"), given !== undefined);
    const tensor = file.tensor(name);
    const bytes = new Uint8Array(tensor.bytes), decoded = new Float32Array(values.length);
    file.readInto(name, 0, bytes);
    kernels.dequantize(tensor.type, bytes, decoded);
    const byExpert = [0, 0, 0];
    decoded.forEach((value, i) => {
      const expert = Math.floor(i / 4096);
      byExpert[expert] += sums[expert * 512 + i % 512] * (value - values[i]) ** 2;
    });
    return byExpert;
  };
  for (
    const format of [
      "q2_k",
      "q3_k",
      "q4_k",
      "q5_k",
      "q6_k",
      "q4_0",
      "q4_1",
      "q5_0",
      "q5_1",
      "iq4_nl",
      "iq4_xs",
    ]
  ) {
    const [plain, weighted] = [await errors(format), await errors(format, importance)];
    weighted.forEach((error, i) =>
      assert(error < 0.9 * plain[i], `${format}, expert ${i}: ${error} after ${plain[i]}`)
    );
  }
});

Deno.test("planQuantization() with importances follows the mix's rules for them and says what has none", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f16");
  const { matrices } = await importanceOf(path);
  const importance = (names: Iterable<string>) =>
    new ImportanceMatrix("im.gguf", {
      matrices: new Map([...names].map((name) => [name, matrices.get(name)!])),
      datasets: ["text.txt"],
      chunks: 3,
      chunkTokens: WINDOW,
    });
  using file = await openGguf(path);
  const plan = planQuantization(file, { format: "q2_k_s", importance: importance(matrices.keys()) });
  assertEquals(plan.warnings, []);
  assertEquals(plan.entries.find(({ key }) => key === "quantize.imatrix.entries_count")?.value, 14);
  const partly = planQuantization(file, {
    format: "q4_k_m",
    importance: importance(["blk.0.attn_q.weight"]),
  });
  assertEquals(partly.warnings, ["im.gguf has no importances for 13 tensors, such as blk.0.attn_k.weight"]);
  const without = planQuantization(file, { format: "q2_k_s" });
  assert(without.warnings[0].includes("--imatrix"));
  assertEquals(
    tensorType(without.tensors.find(({ source }) => source.name === "output.weight")!.typeId).name,
    "Q6_K",
  );
});

Deno.test("compareModels() finds no difference between a model and itself, and one to its quantised copy", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "f16");
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  const copy = `${folder.path}/q2_k.gguf`;
  await quantizeFile(path, copy, "q2_k", { kernels });
  using file = await openGguf(path);
  using small = await openGguf(copy);
  using a = await loadModelRunner(file, OPTIONS);
  using b = await loadModelRunner(small, OPTIONS);
  let windows = 0;
  const same = await compareModels(a, a, TOKENS, { window: WINDOW, progress: (done) => windows = done });
  assertEquals(windows, 3);
  assertEquals(same.tokens, 3 * (WINDOW / 2 - 1));
  assertEquals([same.divergence.value, same.divergence.max, same.perplexityRatio.value], [0, 0, 1]);
  assertEquals([same.sameGreedy.value, same.probabilityChange.rms], [1, 0]);
  const other = await compareModels(a, b, TOKENS, { window: WINDOW });
  assertEquals(other.perplexity[0], same.perplexity[0]);
  assertAlmostEquals(
    other.perplexityRatio.value,
    other.perplexity[1].value / other.perplexity[0].value,
    1e-9,
  );
  const { median, p90, p99, max, value } = other.divergence;
  assert(0 < median && median <= p90 && p90 <= p99 && p99 <= max && value < max);
  assert(other.sameGreedy.value < 1 && other.probabilityChange.rms >= other.probabilityChange.meanAbsolute);
  const errors = compareTensors(file, small, kernels);
  assertEquals(errors.unmatched, []);
  assertEquals(errors.tensors[0].to, "Q2_K");
  assert(errors.tensors[0].relativeError > 0.2 && errors.tensors.at(-1)!.relativeError < 0.05);
  const abort = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => compareModels(a, b, TOKENS, { window: WINDOW, signal: abort }), Error, "enough");
  await assertRejects(
    () => compareModels(a, b, TOKENS.slice(0, 9), { window: WINDOW }),
    RangeError,
    "less than one window",
  );
});
