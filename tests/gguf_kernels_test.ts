/** Files, random blocks and the kernels together: formats mean the same in both, and quantising a model works. */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Kernels } from "../src/ffi/context.ts";
import { weightFormats } from "../src/ffi/symbols.ts";
import {
  describe,
  type FormatName,
  formatNames,
  formatTypeId,
  openGguf,
  planQuantization,
  quantizeFile,
  weightFormatNames,
} from "../src/gguf/mod.ts";
import { randomRows, RandomWords } from "../src/gguf/random_blocks.ts";
import { tensorType, TensorTypeId } from "../src/gguf/tensor_types.ts";
import { writeRandomModel } from "../src/models/random_model.ts";
import { formatGoldens, readFormatGoldens } from "./support/format_goldens.ts";
import { referenceCodecs } from "./support/gguf_codecs.ts";

/** Greatest relative error (rms over rms) of normal weights: a few percent above what was measured. */
const RELATIVE_ERROR_MAX = {
  f32: 0,
  f16: 3e-4,
  bf16: 2.5e-3,
  q8_0: 8e-3,
  q6_k: 2.5e-2,
  q5_k: 4.5e-2,
  q4_k: 9e-2,
  q4_0: 1.1e-1,
  q4_1: 1.0e-1,
  q5_0: 5.5e-2,
  q5_1: 5e-2,
  q2_k: 3.3e-1,
  q3_k: 1.8e-1,
  iq4_nl: 1e-1,
  iq4_xs: 1e-1,
  mxfp4: 1.4e-1,
} as const satisfies Record<FormatName, number>;

Deno.test("weightFormats has the blocks of GGUF's tensor types", () => {
  for (const [name, { id, blockLength, blockBytes }] of Object.entries(weightFormats)) {
    assertEquals(tensorType(id), { id, name: name.toUpperCase(), blockLength, blockBytes });
  }
});

Deno.test("Kernels.dequantize() agrees with decoders that share nothing with it, for random blocks", () => {
  using kernels = Kernels.open({ threads: 2, workspaceBytes: 1 << 20 });
  for (const format of formatNames) {
    const typeId = formatTypeId(format);
    if (typeId === TensorTypeId.F32) continue;
    const { blockBytes, blockLength } = tensorType(typeId);
    const blocks = blockLength === 1 ? 5000 : 50;
    const bytes = new Uint8Array(blocks * blockBytes);
    randomRows(typeId, 0.02).fill(bytes, new RandomWords(7, typeId));
    const [actual, expected] = [0, 1].map(() => new Float32Array(blocks * blockLength));
    kernels.dequantize(typeId, bytes, actual);
    referenceCodecs.dequantize(typeId, bytes, expected);
    const wrong = actual.findIndex((value, i) => !(Math.abs(value - expected[i]) <= 1e-7));
    assertEquals(wrong, -1, `${format}[${wrong}]: ${actual[wrong]}, expected ${expected[wrong]}`);
  }
});

Deno.test("Kernels.dequantize() gives the bits of PyPI's gguf, in every format of blocks", async () => {
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 1 << 20 });
  const isOfBlocks = (name: FormatName) => weightFormats[name].blockLength > 1;
  assertEquals(Object.keys(formatGoldens).toSorted(), formatNames.filter(isOfBlocks).toSorted());
  for (const [name, { blocks, sha256 }] of Object.entries(formatGoldens)) {
    const bytes = Uint8Array.fromHex(blocks);
    const { id, blockBytes, blockLength } = weightFormats[name as FormatName];
    const values = new Float32Array(bytes.length / blockBytes * blockLength);
    kernels.dequantize(id, bytes, values);
    const digest = await crypto.subtle.digest("SHA-256", values);
    assertEquals(new Uint8Array(digest).toHex(), sha256, name);
  }
});

Deno.test("Kernels.dequantize() gives the bits of PyPI's gguf in the formats that are only read, and panels the same", async () => {
  using kernels = Kernels.open({ threads: 2, workspaceBytes: 8 << 20 });
  const isWritten = (name: string) => (formatNames as readonly string[]).includes(name);
  assertEquals(Object.keys(readFormatGoldens), weightFormatNames.filter((name) => !isWritten(name)));
  const rows = 1000;
  for (const [name, sha256] of Object.entries(readFormatGoldens)) {
    const { id, blockBytes, blockLength } = weightFormats[name as keyof typeof readFormatGoldens];
    const bytes = new Uint8Array(rows * blockBytes);
    randomRows(id, 0.02).fill(bytes, new RandomWords(7, id));
    const values = new Float32Array(rows * blockLength);
    kernels.dequantize(id, bytes, values);
    const digest = await crypto.subtle.digest("SHA-256", values);
    assertEquals(new Uint8Array(digest).toHex(), sha256, name);
    const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    assertAlmostEquals(rms / 0.02, 1, 0.03, `${name}: spread of random rows`);
    // What the panels hold is the same.
    using weights = kernels.createWeights(id, rows, blockLength);
    weights.load(0, rows, bytes);
    kernels.lookUpRows(weights, Uint32Array.from({ length: rows }, (_, row) => row), 1, 0);
    const found = new Float32Array(values.length);
    kernels.read(0, new Uint8Array(found.buffer));
    assertEquals(found.findIndex((value, i) => value !== values[i]), -1, name);
    assertThrows(
      () => kernels.quantize(id, values.subarray(0, blockLength), new Uint8Array(blockBytes)),
      Error,
      "there are no kernels for this format",
    );
  }
});

Deno.test("quantizeFile() makes every format from F32 with the kernels, within the format's error", async () => {
  using kernels = Kernels.open({ threads: 2, workspaceBytes: 1 << 20 });
  const folder = await Deno.makeTempDir();
  try {
    const input = `${folder}/in.gguf`;
    await writeRandomModel(input, { shape: "qwen3-tiny", format: "f32" });
    for (const format of formatNames) {
      const output = `${folder}/${format}.gguf`;
      const report = await quantizeFile(input, output, format, { kernels, isPure: true });
      assertEquals(report.warnings, []);
      using file = await openGguf(output);
      assertEquals(describe(file).types[0].type, format.toUpperCase());
      const worst = Math.max(...report.tensors.map(({ relativeError }) => relativeError));
      assert(worst <= RELATIVE_ERROR_MAX[format], `${format}: ${worst}`);
      if (format !== "f32") assert(worst > RELATIVE_ERROR_MAX[format] / 3, `${format}: ${worst}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("quantizeFile() writes a mix as planned, with its number in general.file_type", async () => {
  using kernels = Kernels.open({ threads: 2, workspaceBytes: 1 << 20 });
  const folder = await Deno.makeTempDir();
  try {
    const [input, output] = [`${folder}/in.gguf`, `${folder}/q4_k_m.gguf`];
    await writeRandomModel(input, { shape: "llama-tiny", format: "bf16" });
    const report = await quantizeFile(input, output, "Q4_K_M", { kernels });
    assertEquals(report.warnings, []);
    using before = await openGguf(input);
    const plan = planQuantization(before, { format: "q4_k_m" });
    using after = await openGguf(output);
    assertEquals(after.get.u32("general.file_type"), 15);
    assertEquals(after.get.u32("general.quantization_version"), 2);
    assertEquals(after.fileBytes, plan.bytesOut);
    assertEquals(
      [...after.tensors.values()].map(({ type }) => type),
      plan.tensors.map(({ typeId }) => typeId),
    );
    const typeOf = (name: string) => tensorType(after.tensor(name).type).name;
    assertEquals(["output", "token_embd", "blk.1.attn_v"].map((name) => typeOf(`${name}.weight`)), [
      "Q6_K",
      "Q4_K",
      "Q6_K",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
