/** Files that have several tensors in one, against files of the same numbers that do not. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { tablesOf } from "../scheduler/testing/tables.ts";
import { GgufWriter } from "../src/gguf/writer.ts";
import { type FormatName, openGguf } from "../src/gguf/mod.ts";
import { checkModel } from "../src/models/check.ts";
import { composeDecoder } from "../src/models/decoder.ts";
import { ModelError } from "../src/models/error.ts";
import type { ModelFamily } from "../src/models/family.ts";
import { separateFile } from "../src/models/fused.ts";
import { Kernels } from "../src/ffi/context.ts";
import { llama } from "../src/models/llama.ts";
import { qwen2 } from "../src/models/qwen2.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import { modelShape } from "../src/models/shapes.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import { writeOlderDeepseek } from "./support/older_deepseek.ts";

const tokens = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 512);

/** Qwen 2 as files would have it that hold queries, keys and values in one, gate and up too. */
const fusedQwen2: ModelFamily = {
  ...qwen2,
  compose: (h, b) => composeDecoder(h, b, () => ({ biases: "required", fused: ["qkv", "gate_up"] })),
};
/** Heads whose rows begin in the middle of a panel. */
const shape = { ...modelShape("qwen2-tiny"), headDim: 40 };

async function logitsOf(path: string): Promise<Float32Array> {
  using runner = await loadRunner(path, { threads: 2 });
  runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf([0, 1, 2]) }]);
  runner.logits([tokens.length - 1]);
  return runner.readLogits();
}

/** Writes the file's tensors with the parts of each fused one in its place. */
async function writeSeparate(path: string, output: string): Promise<void> {
  using file = await openGguf(path);
  using kernels = Kernels.open({ workspaceBytes: 64 });
  const dequantize = kernels.dequantize.bind(kernels);
  const { tensors, readInto } = separateFile(file, checkModel(file).fusions, dequantize);
  const names = [...tensors].map(([name, { type, dims }]) => ({ name, type, dims }));
  await using writer = await GgufWriter.create(output, { entries: file.entries, tensors: names });
  for (const [name, { bytes }] of tensors) {
    const data = new Uint8Array(bytes);
    readInto(name, 0, data);
    await writer.write(data);
  }
  await writer.finish();
}

for (const format of ["f32", "bf16", "q8_0", "q4_k"] satisfies FormatName[]) {
  Deno.test(`tensors that a file in ${format} has in one compute what they do alone, bit for bit`, async () => {
    using folder = new TemporaryFolder();
    const [fused, separate] = [`${folder.path}/fused.gguf`, `${folder.path}/separate.gguf`];
    await writeRandomModel(fused, { shape, family: fusedQwen2, format });
    await writeSeparate(fused, separate);
    using file = await openGguf(fused);
    using other = await openGguf(separate);
    const layer = (names: Iterable<string>) => [...names].filter((name) => name.startsWith("blk.1.")).sort();
    assertEquals(layer(file.tensors.keys()).length, layer(other.tensors.keys()).length - 5);
    assert(file.tensors.has("blk.1.attn_qkv.bias") && other.tensors.has("blk.1.attn_k.bias"));
    assertEquals(file.tensor("blk.1.attn_qkv.weight").dims, [256, 40 * 8]);
    assertEquals(await logitsOf(fused), await logitsOf(separate));
  });
}

/** Mixtral as newer files have it, with gates and ups of each expert in one. */
const fusedMixtral: ModelFamily = {
  ...llama,
  compose: (h, b) => composeDecoder(h, b, () => ({ experts: { isFused: true } })),
};

for (const format of ["f32", "q4_k"] satisfies FormatName[]) {
  Deno.test(`gates and ups that a file in ${format} has in one, expert by expert, compute what they do alone`, async () => {
    using folder = new TemporaryFolder();
    const [fused, separate] = [`${folder.path}/fused.gguf`, `${folder.path}/separate.gguf`];
    await writeRandomModel(fused, { shape: "mixtral-tiny", family: fusedMixtral, format });
    await writeSeparate(fused, separate);
    using file = await openGguf(fused);
    using other = await openGguf(separate);
    const name = "blk.1.ffn_gate_up_exps.weight", up = "blk.1.ffn_up_exps.weight";
    assertEquals(file.tensor(name).dims, [256, 512, 8]);
    assertEquals(other.tensor(up).dims, [256, 256, 8]);
    // The ups of the second expert lie behind its gates.
    const half = other.tensor(up).bytes / 8;
    const [there, here] = [new Uint8Array(half), new Uint8Array(half)];
    file.readInto(name, 3 * half, there);
    other.readInto(up, half, here);
    assertEquals(here, there);
    assertEquals(await logitsOf(fused), await logitsOf(separate));
  });
}

for (const format of ["f32", "bf16", "q4_k"] satisfies FormatName[]) {
  Deno.test(`what makes keys is turned where a file in ${format} has it with what makes values`, async () => {
    using folder = new TemporaryFolder();
    const [fused, separate] = [`${folder.path}/fused.gguf`, `${folder.path}/separate.gguf`];
    await writeOlderDeepseek(fused, "deepseek2-tiny", format);
    await writeSeparate(fused, separate);
    using file = await openGguf(fused);
    using other = await openGguf(separate);
    assertEquals(file.tensor("blk.1.attn_kv_b.weight").dims, [160, 4 * (128 + 128)]);
    assertEquals(other.tensor("blk.1.attn_k_b.weight").dims, [128, 160, 4]);
    assertEquals(other.tensor("blk.1.attn_v_b.weight").dims, [160, 128, 4]);
    if (format === "f32") {
      const numbers = (from: typeof file, name: string) => {
        const bytes = new Uint8Array(from.tensor(name).bytes);
        from.readInto(name, 0, bytes);
        return new Float32Array(bytes.buffer);
      };
      const whole = numbers(file, "blk.1.attn_kv_b.weight"), keys = numbers(other, "blk.1.attn_k_b.weight");
      // Of head 2, what column 5 of row 7 is: column 7 of row 5 in the file.
      assertEquals(keys[(2 * 160 + 7) * 128 + 5], whole[(2 * 256 + 5) * 160 + 7]);
    }
    assertEquals(await logitsOf(fused), await logitsOf(separate));
  });
}

Deno.test("a fused tensor of another shape, or beside its parts, is refused by name", async () => {
  using folder = new TemporaryFolder();
  const path = `${folder.path}/fused.gguf`;
  await writeRandomModel(path, { shape, family: fusedQwen2, format: "f32" });
  using file = await openGguf(path);
  const withTensor = (name: string, dims: number[]) => ({
    get: file.get,
    tensors: new Map<string, { type: number; dims: readonly number[] }>([
      ...file.tensors,
      [name, { type: 0, dims }],
    ]),
  });
  const cases: [string, number[], string][] = [
    ["blk.0.attn_qkv.weight", [256, 319], '"blk.0.attn_qkv.weight" must be [320, 256], it is [319, 256]'],
    ["blk.1.attn_qkv.bias", [300], '"blk.1.attn_qkv.bias" must be [320], it is [300]'],
    ["blk.0.attn_k.weight", [256, 80], 'tensor "blk.0.attn_q.weight" is missing'],
    ["blk.0.ffn_gate.weight", [256, 512], '"blk.0.ffn_up.weight" must be [512, 256], it is [1024, 256]'],
  ];
  for (const [name, dims, message] of cases) {
    assertThrows(() => checkModel(withTensor(name, dims)), ModelError, message);
  }
});
