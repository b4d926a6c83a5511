import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHeader } from "../src/gguf/encode.ts";
import {
  arrayEntry,
  describe,
  GgufError,
  GgufWriter,
  type MetadataEntry,
  openGguf,
  quantizeFile,
  scalarEntry,
  weightFormatNames,
} from "../src/gguf/mod.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import { shapeTensors } from "../src/models/random_shapes.ts";
import { modelShape, shapeNames } from "../src/models/shapes.ts";
import { referenceCodecs } from "./support/gguf_codecs.ts";
import { sampleEntries, sampleFile, sampleTensors } from "./support/gguf_sample.ts";

async function inTemporaryFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The sample's tensor data in chunks of 7 bytes. */
function* chunks(index: number, bytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes; at += 7) {
    yield Uint8Array.from({ length: Math.min(7, bytes - at) }, (_, i) => index + at + i);
  }
}

Deno.test("GgufWriter writes what the reader reads, in chunks, and leaves only the finished file", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/out.gguf`;
    {
      await using writer = await GgufWriter.create(path, { entries: sampleEntries, tensors: sampleTensors });
      const sizes = [432, 272, 20, 48];
      for (const [i, { name }] of sampleTensors.entries()) {
        await writer.writeTensor(name, chunks(i, sizes[i]));
      }
      assert(!names(folder).includes("out.gguf"));
      await writer.finish();
    }
    assertEquals(names(folder), ["out.gguf"]);
    assertEquals(await Deno.readFile(path), sampleFile());
  }));

Deno.test("GgufWriter leaves nothing behind when it is not finished", () =>
  inTemporaryFolder(async (folder) => {
    {
      await using writer = await GgufWriter.create(`${folder}/out.gguf`, {
        entries: [],
        tensors: sampleTensors,
      });
      await writer.write(new Uint8Array(100));
      await assertRejects(() => writer.finish(), GgufError, 'data of tensor "token_embd.weight" is missing');
    }
    assertEquals(names(folder), []);
  }));

Deno.test("GgufWriter refuses too much, too little, and the wrong tensor's data", () =>
  inTemporaryFolder(async (folder) => {
    const tensors = [{ name: "a", type: 0, dims: [4] }, { name: "b", type: 0, dims: [4] }];
    await using writer = await GgufWriter.create(`${folder}/out.gguf`, { entries: [], tensors });
    await assertRejects(() => writer.write(new Uint8Array(17)), GgufError, "more data than tensor");
    await assertRejects(() => writer.writeTensor("b", []), GgufError, 'the next tensor is "a"');
    await assertRejects(() => writer.writeTensor("a", [new Uint8Array(8)]), GgufError, "and 8 were written");
    await writer.write(new Uint8Array(8));
    await writer.writeTensor("b", [new Uint8Array(16)]);
    await assertRejects(() => writer.write(new Uint8Array(1)), GgufError, "all tensors are written");
    await writer.finish();
    await assertRejects(() => writer.finish(), GgufError, "the writer is closed");
  }));

Deno.test("encodeHeader() refuses what GGUF cannot hold", () => {
  const entry = (e: MetadataEntry) => () => encodeHeader([e], []);
  assertThrows(entry(scalarEntry("u8", "k", 256)), GgufError, '"k": a u8 cannot hold 256');
  assertThrows(entry(scalarEntry("u32", "k", -1)), GgufError, "a u32 cannot hold -1");
  assertThrows(entry(scalarEntry("i64", "k", 2n ** 63n)), GgufError, "a i64 cannot hold");
  assertThrows(entry(scalarEntry("u32", "k", 0.5)), GgufError, "a u32 cannot hold 0.5");
  assertThrows(entry(scalarEntry("string", "k", 5)), GgufError, "a string cannot hold 5");
  assertThrows(entry(arrayEntry("string", "k", [true])), GgufError, "a string cannot hold true");
  const twice = [scalarEntry("u8", "k", 1), scalarEntry("u8", "k", 2)];
  assertThrows(() => encodeHeader(twice, []), GgufError, 'the key "k" appears twice');
  const tensor = { name: "t", type: 12, dims: [100] };
  assertThrows(
    () => encodeHeader([], [tensor]),
    GgufError,
    "a row of 100 elements is not a multiple of Q4_K",
  );
});

Deno.test("writeRandomModel() writes every tiny shape, and every format", () =>
  inTemporaryFolder(async (folder) => {
    const tiny = shapeNames.filter((name) => name.endsWith("-tiny"));
    const cases = [
      ...tiny.map((shape) => [shape, "q4_k"] as const),
      ...weightFormatNames.map((format) => ["llama-tiny", format] as const),
    ];
    for (const [shape, format] of cases) {
      const path = `${folder}/${shape}-${format}.gguf`;
      const bytes = await writeRandomModel(path, { shape, format });
      using file = await openGguf(path);
      assertEquals(file.fileBytes, bytes);
      const { vocab } = modelShape(shape);
      assertEquals(new Set(file.get.strings("tokenizer.ggml.tokens")).size, vocab);
      assertEquals(file.tensor("token_embd.weight").dims, [256, vocab]);
      // Rows that the format does not divide are Q8_0: of small experts those are most.
      const types = describe(file).types.map(({ type }) => type);
      assert(types.includes(format.toUpperCase()), `${shape}: ${types}`);
    }
  }));

Deno.test("writeRandomModel() writes the same file for the same seed", () =>
  inTemporaryFolder(async (folder) => {
    const bytes = async (name: string, seed?: number) => {
      await writeRandomModel(`${folder}/${name}`, { shape: "llama-tiny", format: "q4_k", seed });
      return await Deno.readFile(`${folder}/${name}`);
    };
    const first = await bytes("a.gguf");
    assertEquals(await bytes("b.gguf"), first);
    assert((await bytes("c.gguf", 2)).some((byte, i) => byte !== first[i]));
  }));

Deno.test("writeRandomModel() stops when told to, and leaves nothing behind", () =>
  inTemporaryFolder(async (folder) => {
    const controller = new AbortController();
    const progress = () => controller.abort(new Error("enough"));
    const options = { shape: "llama-tiny", format: "f32", signal: controller.signal, progress };
    await assertRejects(() => writeRandomModel(`${folder}/m.gguf`, options), Error, "enough");
    assertEquals(names(folder), []);
    await assertRejects(
      () => writeRandomModel(`${folder}/m.gguf`, { shape: "llama-2b", format: "f32" }),
      GgufError,
      "expected one of the shapes llama-tiny, ",
    );
  }));

Deno.test("shapeTensors() has the parameters of the models it imitates", () => {
  const parameters = (name: string) =>
    shapeTensors(modelShape(name), "f16").reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b), 0);
  assertEquals(parameters("llama-1b"), 1235814400 + 32);
  assertEquals(parameters("smollm-135m"), 134515008);
  assertEquals(parameters("qwen3-0.6b"), 596049920);
});

Deno.test("quantizeFile() converts matrices, keeps vectors and metadata, and reports errors", () =>
  inTemporaryFolder(async (folder) => {
    const [input, output] = [`${folder}/in.gguf`, `${folder}/out.gguf`];
    await writeRandomModel(input, { shape: "qwen2-tiny", format: "f32" });
    let last: [number, number] = [0, 1];
    const report = await quantizeFile(input, output, "Q8_0", {
      kernels: referenceCodecs,
      progress: (done, total) => last = [done, total],
    });
    assertEquals(last[0], last[1]);
    assertEquals(report.warnings, []);
    using before = await openGguf(input);
    using after = await openGguf(output);
    assertEquals(report.bytesOut, after.fileBytes);
    assertEquals(describe(after).types.map(({ type }) => type), ["Q8_0", "F32"]);
    assertEquals(after.get.u32("general.file_type"), 7);
    const keep = ({ key }: MetadataEntry) => key !== "general.file_type";
    assertEquals(after.entries.filter(keep), before.entries.filter(keep));
    const matrix = report.tensors.find(({ name }) => name === "blk.1.ffn_down.weight")!;
    assertEquals([matrix.from, matrix.to], ["F32", "Q8_0"]);
    // A normal row of 32 has its maximum near 2.1σ; a step of 2.1σ/127 has an rms error of step/√12.
    assert(matrix.relativeError > 0.003 && matrix.relativeError < 0.008, `${matrix.relativeError}`);
    assert(matrix.maxError >= matrix.rmsError);
    const bias = report.tensors.find(({ name }) => name === "blk.0.attn_q.bias")!;
    assertEquals([bias.to, bias.rmsError, bias.relativeError], ["F32", 0, 0]);
  }));

Deno.test("quantizeFile() falls back for rows that are not whole blocks, and says so", () =>
  inTemporaryFolder(async (folder) => {
    const [input, output] = [`${folder}/in.gguf`, `${folder}/out.gguf`];
    const tensors = [{ name: "a", type: 0, dims: [96, 2] }, { name: "b", type: 0, dims: [40, 2] }];
    {
      await using writer = await GgufWriter.create(input, { entries: [], tensors });
      await writer.write(new Uint8Array(Float32Array.from({ length: 192 }, (_, i) => i / 100).buffer));
      await writer.write(new Uint8Array(Float32Array.from({ length: 80 }, (_, i) => i / 100).buffer));
      await writer.finish();
    }
    const report = await quantizeFile(input, output, "q4_k", { kernels: referenceCodecs });
    assertEquals(report.tensors.map(({ to }) => to), ["Q8_0", "F16"]);
    assertEquals(report.warnings, [
      "a becomes Q8_0: its rows of 96 are not a multiple of Q4_K's block of 256",
      "b becomes F16: its rows of 40 are not a multiple of Q4_K's block of 256",
    ]);
  }));

Deno.test("quantizeFile() refuses quantised sources, weights that are not finite, and writing over its input", () =>
  inTemporaryFolder(async (folder) => {
    const [input, output] = [`${folder}/in.gguf`, `${folder}/out.gguf`];
    const kernels = referenceCodecs;
    await writeRandomModel(input, { shape: "llama-tiny", format: "q4_k" });
    await assertRejects(
      () => quantizeFile(input, output, "q8_0", { kernels }),
      GgufError,
      "is Q4_K, and quantize",
    );
    await assertRejects(() => quantizeFile(input, input, "q8_0", { kernels }), GgufError, "is the input");
    await assertRejects(
      () => quantizeFile(input, output, "q9", { kernels }),
      GgufError,
      "current value is q9",
    );
    await using writer = await GgufWriter.create(`${folder}/nan.gguf`, {
      entries: [],
      tensors: [{ name: "w.weight", type: 0, dims: [32, 1] }],
    });
    await writer.write(new Uint8Array(new Float32Array(32).fill(NaN).buffer));
    await writer.finish();
    const nan = () => quantizeFile(`${folder}/nan.gguf`, output, "f16", { kernels });
    await assertRejects(nan, GgufError, 'tensor "w.weight" holds weights that are not finite');
    assertEquals(names(folder), ["in.gguf", "nan.gguf"]);
  }));

Deno.test("quantizeFile() copies what is already in the format, and warns about Q8_0 sources", () =>
  inTemporaryFolder(async (folder) => {
    const [input, copy, output] = [`${folder}/in.gguf`, `${folder}/copy.gguf`, `${folder}/out.gguf`];
    await writeRandomModel(input, { shape: "llama-tiny", format: "q8_0" });
    const kernels = referenceCodecs;
    const same = await quantizeFile(input, copy, "q8_0", { kernels });
    assertEquals(same.warnings, []);
    assertEquals(await Deno.readFile(copy), await Deno.readFile(input));
    const report = await quantizeFile(input, output, "f16", { kernels });
    assertEquals(report.warnings.length, 1);
    assert(report.warnings[0].startsWith("16 tensors come from Q8_0"));
    const abort = { kernels, signal: AbortSignal.abort(new Error("enough")) };
    await assertRejects(() => quantizeFile(input, `${folder}/x.gguf`, "f16", abort), Error, "enough");
  }));
