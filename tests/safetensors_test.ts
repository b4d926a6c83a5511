/** Folders of safetensors, as models come out of training. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CheckpointError, loadModel } from "../mod.ts";
import { copyModel } from "../src/gguf/copy_file.ts";
import { openGguf } from "../src/gguf/mod.ts";
import { llama3Factors } from "../src/safetensors/rope_factors.ts";
import { openCheckpoint } from "../src/safetensors/mod.ts";
import { readHyperparameters } from "../src/models/read_hyperparameters.ts";
import { familyOf } from "../src/models/registry.ts";
import { CHECKPOINT_KINDS } from "./support/checkpoint_kinds.ts";
import { encodeSafetensors, withHeader, writeCheckpoint } from "./support/checkpoint.ts";
import { writeOlderDeepseek } from "./support/older_deepseek.ts";
import { TemporaryFolder } from "./support/models.ts";

const DEMO = decodeURIComponent(
  new URL("../examples/demo-model/kumi-demo-f16.gguf", import.meta.url).pathname,
);

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function change(path: string, edit: (values: Record<string, unknown>) => void): Promise<void> {
  const values = JSON.parse(await Deno.readTextFile(path));
  edit(values);
  await Deno.writeTextFile(path, JSON.stringify(values));
}

for (const parts of [1, 3]) {
  Deno.test(`a checkpoint in ${parts} files has the tensors and tokens of the GGUF file`, () =>
    inFolder(async (folder) => {
      await writeCheckpoint(DEMO, folder, { parts });
      using file = await openCheckpoint(`${folder}/`);
      using expected = await openGguf(DEMO);
      assertEquals([...file.tensors.keys()].sort(), [...expected.tensors.keys()].sort());
      for (const { name, type, dims, bytes } of expected.tensors.values()) {
        const found = file.tensor(name);
        assertEquals([found.type, found.dims, found.bytes], [type, dims, bytes], name);
        const [want, have] = [new Uint8Array(bytes), new Uint8Array(bytes)];
        expected.readInto(name, 0, want);
        file.readInto(name, 0, have);
        assertEquals(have, want, name);
        // From the middle of a row on, and across rows.
        const part = new Uint8Array(Math.min(bytes - 3, 1000));
        file.readInto(name, 3, part);
        assertEquals(part, want.subarray(3, 3 + part.length), name);
      }
      for (const key of ["tokens", "token_type", "merges", "pre", "model", "eos_token_id"]) {
        assertEquals(
          file.metadata.get(`tokenizer.ggml.${key}`),
          expected.metadata.get(`tokenizer.ggml.${key}`),
          key,
        );
      }
    }));
}

Deno.test("a checkpoint answers as the GGUF file does, with its own sampling", () =>
  inFolder(async (folder) => {
    await writeCheckpoint(DEMO, folder, { parts: 2 });
    const answers = await Promise.all([DEMO, folder].map(async (path) => {
      await using model = await loadModel(path, { threads: 1 });
      const { text } = await model.chat([{ role: "user", content: "Name a colour." }], {
        temperature: 0,
        maxTokens: 24,
      }).result;
      return { text, sampling: model.info.sampling };
    }));
    assertEquals(answers[1].text, answers[0].text);
    assertEquals(answers[1].sampling, { temperature: 0.5 });
  }));

/** As often as settings were rounded to single precision on their way. */
const rounded = (values: unknown) =>
  JSON.parse(
    JSON.stringify(values, (_, value) => typeof value === "number" ? Number(value.toPrecision(6)) : value),
  );

for (const [architecture, { shape, isOlder = false, normsAroundOne }] of Object.entries(CHECKPOINT_KINDS)) {
  Deno.test(`a checkpoint of ${architecture} has the tensors and the settings of the GGUF file`, () =>
    inFolder(async (folder) => {
      using models = new TemporaryFolder();
      const path = isOlder ? `${folder}/older.gguf` : await models.randomModel(shape, "bf16");
      if (isOlder) await writeOlderDeepseek(path, shape, "bf16");
      await writeCheckpoint(path, folder, { architecture });
      using expected = await openGguf(path);
      using file = await openCheckpoint(folder);
      assertEquals([...file.tensors.keys()].sort(), [...expected.tensors.keys()].sort());
      for (const { name, bytes } of expected.tensors.values()) {
        const [want, have] = [new Uint8Array(bytes), new Uint8Array(bytes)];
        expected.readInto(name, 0, want);
        file.readInto(name, 0, have);
        if (!normsAroundOne || !name.endsWith("norm.weight")) assertEquals(have, want, name);
        else assertEquals(rounded([...floats(have)]), rounded([...floats(want)]), name);
      }
      const [ours, theirs] = [file, expected].map((each) => readHyperparameters(each, familyOf(each)));
      assertEquals(rounded(ours), rounded(theirs));
    }));
}

const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer);

Deno.test("routers that a checkpoint has in BF16 are read in F32", () =>
  inFolder(async (folder) => {
    using models = new TemporaryFolder();
    const path = await models.randomModel("qwen3moe-tiny", "bf16");
    const halfOf = (name: string) => name.endsWith("mlp.gate.weight");
    await writeCheckpoint(path, folder, { architecture: "Qwen3MoeForCausalLM", halfOf });
    using expected = await openGguf(path);
    using file = await openCheckpoint(folder);
    const name = "blk.1.ffn_gate_inp.weight";
    const [want, have] = [new Uint8Array(16 * 256 * 4), new Uint8Array(16 * 256 * 4)];
    expected.readInto(name, 0, want);
    file.readInto(name, 0, have);
    assertEquals(file.tensor(name).type, expected.tensor(name).type);
    const cut = Uint32Array.from(new Uint32Array(want.buffer), (bits) => bits >>> 16 << 16);
    assertEquals(new Uint32Array(have.buffer), cut);
  }));

Deno.test("copyModel() writes a checkpoint as the GGUF file as which it was read", () =>
  inFolder(async (folder) => {
    await writeCheckpoint(DEMO, folder, { parts: 2 });
    using file = await openCheckpoint(folder);
    const reports: [number, number][] = [];
    const progress = (...report: [number, number]) => void reports.push(report);
    const bytes = await copyModel(file, `${folder}/one.gguf`, { progress });
    using copy = await openGguf(`${folder}/one.gguf`);
    assertEquals([copy.fileBytes, await copy.digest()], [bytes, await file.digest()]);
    assertEquals(reports.at(-1)![0], reports.at(-1)![1]);
    const stop = AbortSignal.abort(new Error("enough"));
    await assertRejects(() => copyModel(file, `${folder}/two.gguf`, { signal: stop }), Error, "enough");
    await assertRejects(() => Deno.stat(`${folder}/two.gguf`), Deno.errors.NotFound);
  }));

Deno.test("llama3Factors() leaves short waves, stretches long ones, and is smooth between", () => {
  const factors = llama3Factors({ base: 500_000, headDim: 128, factor: 8, low: 1, high: 4, context: 8192 });
  assertEquals([factors[0], factors[63]], [1, 8]);
  assert(factors.every((factor, i) => i === 0 || factor >= factors[i - 1]));
  const between = factors.filter((factor) => factor > 1 && factor < 8);
  assert(between.length > 3, `${between}`);
});

Deno.test("a checkpoint's scaling of RoPE becomes GGUF's", () =>
  inFolder(async (folder) => {
    await writeCheckpoint(DEMO, folder);
    const scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    await change(`${folder}/config.json`, (config) => {
      config.rope_scaling = scaling;
    });
    {
      using file = await openCheckpoint(folder);
      const bytes = new Uint8Array(32 * 4);
      file.readInto("rope_freqs.weight", 0, bytes);
      const expected = llama3Factors({ base: 10_000, headDim: 64, factor: 8, low: 1, high: 4, context: 64 });
      assertEquals(new Float32Array(bytes.buffer), expected);
    }
    await change(`${folder}/config.json`, (config) => {
      delete config.rope_scaling;
      config.rope_parameters = {
        rope_theta: 77,
        rope_type: "yarn",
        factor: 4,
        original_max_position_embeddings: 128,
      };
    });
    using file = await openCheckpoint(folder);
    const names = ["freq_base", "scaling.type", "scaling.factor", "scaling.original_context_length"];
    assertEquals(names.map((name) => file.metadata.get(`llama.rope.${name}`)), [77, "yarn", 4, 128]);
  }));

Deno.test("openCheckpoint() names the file and the value that it cannot use", async (t) => {
  type Edit = (values: Record<string, unknown>) => void;
  const cases: [string, string, Edit | string | null, string][] = [
    ["no config", "config.json", null, "there is no config.json"],
    ["no tokenizer", "tokenizer.json", null, "there is no tokenizer.json"],
    ["no weights", "model.safetensors", null, "model.safetensors: there is no such file"],
    ["config that is no JSON", "config.json", "{", "config.json is no JSON"],
    ["a list for a config", "config.json", "[]", "config.json must be an object, current value is []"],
    [
      "another model",
      "config.json",
      (c) => c.architectures = ["BertModel"],
      'architectures is "BertModel"; supported are Llama',
    ],
    [
      "a prototype's name",
      "config.json",
      (c) => c.architectures = ["constructor"],
      'architectures is "constructor"',
    ],
    [
      "another activation",
      "config.json",
      (c) => c.hidden_act = "gelu",
      'hidden_act is "gelu", which asks for another activation',
    ],
    ["a window", "config.json", (c) => c.sliding_window = 128, "sliding_window is 128"],
    [
      "no layers",
      "config.json",
      (c) => c.num_hidden_layers = 0,
      "num_hidden_layers must be a number from 1 on, current value is 0",
    ],
    ["quantised", "config.json", (c) => c.quantization_config = { bits: 4 }, "quantization_config"],
    ["RoPE", "config.json", (c) => c.rope_scaling = { type: "longrope", factor: 4 }, 'type is "longrope"'],
    ["WordPiece", "tokenizer.json", (c) => c.model = { type: "WordPiece" }, 'type is "WordPiece"'],
    ["a normalizer", "tokenizer.json", (c) => c.normalizer = { type: "Lowercase" }, 'type is "Lowercase"'],
    [
      "unknown words",
      "tokenizer.json",
      (c) => c.pre_tokenizer = { type: "ByteLevel", use_regex: false },
      "words that are cut by",
    ],
    [
      "a token outside",
      "tokenizer.json",
      (c) => c.added_tokens = [{ id: 5000, content: "x" }],
      "has token 5000, and the model has 1024 rows",
    ],
    [
      "a merge to nothing",
      "tokenizer.json",
      (c) => (c.model as { merges: unknown[] }).merges.push("q q"),
      'the merge "q q" gives no token',
    ],
  ];
  for (const [name, file, edit, message] of cases) {
    await t.step(name, () =>
      inFolder(async (folder) => {
        await writeCheckpoint(DEMO, folder);
        if (edit === null) await Deno.remove(`${folder}/${file}`);
        else if (typeof edit === "string") await Deno.writeTextFile(`${folder}/${file}`, edit);
        else await change(`${folder}/${file}`, edit);
        const error = await assertRejects(() => openCheckpoint(folder), CheckpointError, message);
        assertStringIncludes(error.message, folder);
      }));
  }
});

Deno.test("openCheckpoint() refuses damaged safetensors, by tensor and place", async (t) => {
  const f32 = (n: number) => new Uint8Array(n * 4);
  const tensor = (
    begin: number,
    end: number,
    shape: unknown = [(end - begin) / 4],
    dtype: unknown = "F32",
  ) => {
    return { dtype, shape, data_offsets: [begin, end] };
  };
  const cases: [string, Uint8Array<ArrayBuffer>, string][] = [
    ["empty", new Uint8Array(0), "has 0 bytes"],
    [
      "a length beyond the file",
      new Uint8Array(16).fill(255),
      "its header is said to have 18446744073709551615 bytes",
    ],
    ["no JSON", withHeader("{{{{", []), "its header is no JSON"],
    ["no UTF-8", withHeader("x", []).with(8, 0xff) as Uint8Array<ArrayBuffer>, "its header is no JSON"],
    ["a list", withHeader([], []), "its header is no JSON object"],
    ["no description", withHeader({ a: 5 }, []), 'tensor "a" is not described'],
    [
      "another dtype",
      withHeader({ a: tensor(0, 4, [1], "F31") }, [f32(1)]),
      "dtype must be one of BOOL, U8, I8",
    ],
    [
      "a negative size",
      withHeader({ a: tensor(0, 4, [-1]) }, [f32(1)]),
      "shape must be a list of whole numbers",
    ],
    [
      "a size that wraps",
      withHeader({ a: tensor(0, 4, [2 ** 32, 2 ** 32]) }, [f32(1)]),
      "takes 73786976294838210000 bytes",
    ],
    [
      "offsets in reverse",
      withHeader({ a: tensor(4, 0, [1]) }, [f32(1)]),
      "data_offsets must be two positions in order",
    ],
    [
      "negative offsets",
      withHeader({ a: tensor(-4, 0, [1]) }, [f32(1)]),
      "data_offsets must be two positions in order",
    ],
    [
      "a gap",
      withHeader({ a: tensor(0, 4), b: tensor(8, 12) }, [f32(3)]),
      'tensor "b" leaves a gap before it: it is at 8, expected 4',
    ],
    [
      "an overlap",
      withHeader({ a: tensor(0, 8), b: tensor(4, 12) }, [f32(3)]),
      'tensor "b" overlaps another',
    ],
    ["bytes behind", withHeader({ a: tensor(0, 4) }, [f32(2)]), "it is cut off or damaged"],
    ["cut off", withHeader({ a: tensor(0, 8) }, [f32(1)]), "it is cut off or damaged"],
    [
      "a foreign tensor",
      encodeSafetensors([{ name: "visual.patch", dtype: "F32", shape: [1], data: f32(1) }]),
      'tensor "visual.patch" has no place in llama',
    ],
    [
      "integers",
      encodeSafetensors([{ name: "model.norm.weight", dtype: "I32", shape: [1], data: f32(1) }]),
      "is I32: weights must be",
    ],
    [
      "a scalar",
      encodeSafetensors([{ name: "model.norm.weight", dtype: "F32", shape: [], data: f32(1) }]),
      "holds no weights",
    ],
  ];
  for (const [name, bytes, message] of cases) {
    await t.step(name, () =>
      inFolder(async (folder) => {
        await writeCheckpoint(DEMO, folder);
        await Deno.writeFile(`${folder}/model.safetensors`, bytes);
        const error = await assertRejects(() => openCheckpoint(folder), CheckpointError, message);
        assertStringIncludes(error.message, folder);
      }));
  }
});

Deno.test("openCheckpoint() checks the index against the files", async (t) => {
  type Map = { weight_map: Record<string, string> };
  const cases: [string, (index: Map) => void, string][] = [
    [
      "a path",
      (i) => i.weight_map["model.norm.weight"] = "../model.safetensors",
      "must be the name of a safetensors file",
    ],
    [
      "a tensor that is not there",
      (i) => i.weight_map["extra"] = "model-1-of-2.safetensors",
      'tensor "extra" is not there',
    ],
    [
      "a tensor elsewhere",
      (i) => i.weight_map["model.norm.weight"] = swap(i.weight_map["model.norm.weight"]),
      "by model.safetensors.index.json",
    ],
    ["nothing", (i) => i.weight_map = {}, "weight_map names 0 files"],
  ];
  const swap = (name: string) =>
    name.includes("1-of") ? "model-2-of-2.safetensors" : "model-1-of-2.safetensors";
  for (const [name, edit, message] of cases) {
    await t.step(name, () =>
      inFolder(async (folder) => {
        await writeCheckpoint(DEMO, folder, { parts: 2 });
        await change(`${folder}/model.safetensors.index.json`, (index) => edit(index as unknown as Map));
        await assertRejects(() => openCheckpoint(folder), CheckpointError, message);
      }));
  }
});
