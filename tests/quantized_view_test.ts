/** Weights that are quantised while a model is loaded. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { loadModel } from "../mod.ts";
import { Kernels } from "../src/ffi/context.ts";
import { GgufError, openGguf, quantizedView, quantizeFile } from "../src/gguf/mod.ts";
import { openCheckpoint } from "../src/safetensors/mod.ts";
import { writeCheckpoint } from "./support/checkpoint.ts";
import { TemporaryFolder } from "./support/models.ts";

const DEMO = decodeURIComponent(
  new URL("../examples/demo-model/kumi-demo-f16.gguf", import.meta.url).pathname,
);

for (const format of ["q8_0", "q4_k", "q4_k_m"]) {
  Deno.test(`a folder whose weights are read as ${format} is the file that quantizing it writes`, async () => {
    using folder = new TemporaryFolder();
    const model = `${folder.path}/model`;
    await Deno.mkdir(model);
    await writeCheckpoint(DEMO, model);
    using kernels = Kernels.open({ threads: 2, workspaceBytes: 64 });
    const written = `${folder.path}/${format}.gguf`;
    await quantizeFile(model, written, format, { kernels, open: openCheckpoint });
    using expected = await openGguf(written);
    const { file } = quantizedView(await openCheckpoint(model), format, kernels);
    using view = file;
    assertEquals(await view.digest(), await expected.digest());
    for (const { name, type, bytes } of expected.tensors.values()) {
      assertEquals(view.tensor(name).type, type, name);
      const [want, have] = [new Uint8Array(bytes), new Uint8Array(bytes)];
      expected.readInto(name, 0, want);
      view.readInto(name, 0, have);
      assertEquals(have, want, name);
      // From within a block on, over several rows.
      const part = new Uint8Array(Math.min(bytes - 7, 5000));
      view.readInto(name, 7, part);
      assertEquals(part, want.subarray(7, 7 + part.length), name);
    }
  });
}

Deno.test("a model is loaded with its weights quantised, and answers as the quantised file does", async () => {
  using folder = new TemporaryFolder();
  const written = `${folder.path}/q8_0.gguf`;
  {
    using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
    await quantizeFile(DEMO, written, "q8_0", { kernels });
  }
  const ask = async (path: string, weights?: string) => {
    await using model = await loadModel(path, { threads: 1, weights });
    const { text } = await model.chat([{ role: "user", content: "Name a colour." }], {
      temperature: 0,
      maxTokens: 24,
    })
      .result;
    return { text, fingerprint: model.info.fingerprint };
  };
  assertEquals(await ask(DEMO, "q8_0"), await ask(written));
  await assertRejects(() => loadModel(DEMO, { weights: "q9" }), RangeError, "weights");
});

Deno.test("weights that are quantised already are not quantised again", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q4_0");
  using file = await openGguf(path);
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  assertThrows(
    () => quantizedView(file, "q8_0", kernels),
    GgufError,
    "quantize reads F32, F16, BF16 and Q8_0",
  );
});
