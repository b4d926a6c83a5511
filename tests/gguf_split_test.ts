/** Models that lie in several files. */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { GgufError, openGguf, quantizeFile } from "../src/gguf/mod.ts";
import { Kernels } from "../src/ffi/context.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { partPaths } from "../src/gguf/split.ts";
import { HubStub } from "./hub_stub.ts";
import { loadModel } from "../mod.ts";
import { splitFile } from "./support/split_file.ts";

async function inFolder(body: (folder: string, parts: string[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder, await splitFile(demoModelFile(), `${folder}/demo`, 3));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function greedy(path: string): Promise<string> {
  await using model = await loadModel(path, { threads: 1 });
  return (await model.generate("The cat", { temperature: 0, maxTokens: 24 }).result).text;
}

Deno.test("openGguf() opens all parts of a split model by any of them", () =>
  inFolder(async (_, parts) => {
    using whole = await openGguf(demoModelFile());
    for (const path of parts) {
      using file = await openGguf(path);
      assertEquals([file.partCount, file.path], [3, parts[0]]);
      assertEquals([...file.tensors.keys()], [...whole.tensors.keys()]);
      assertEquals(file.entries, whole.entries);
      for (const { name, bytes } of whole.tensors.values()) {
        const [wanted, found] = [new Uint8Array(bytes), new Uint8Array(bytes)];
        whole.readInto(name, 0, wanted);
        file.readInto(name, 0, found);
        assertEquals(found, wanted, name);
      }
    }
  }));

Deno.test("a split model answers as the whole one does, and quantizeFile() joins it", () =>
  inFolder(async (folder, parts) => {
    const expected = await greedy(demoModelFile());
    assertEquals(await greedy(parts[1]), expected);
    using kernels = Kernels.open({ workspaceBytes: 64 });
    const { bytesOut } = await quantizeFile(parts[0], `${folder}/one.gguf`, "q8_0", { kernels });
    using joined = await openGguf(`${folder}/one.gguf`);
    assertEquals([joined.partCount, joined.fileBytes, joined.metadata.has("split.count")], [
      1,
      bytesOut,
      false,
    ]);
    assertEquals(await greedy(`${folder}/one.gguf`), expected);
  }));

Deno.test("GgufFile.digest() of a split model depends on each part", () =>
  inFolder(async (_, parts) => {
    const digest = async () => {
      using file = await openGguf(parts[0]);
      return await file.digest();
    };
    const before = await digest();
    assertEquals(await digest(), before);
    const bytes = await Deno.readFile(parts[2]);
    bytes[bytes.length - 1] ^= 1;
    await Deno.writeFile(parts[2], bytes);
    assertNotEquals(await digest(), before);
  }));

Deno.test("openGguf() names the part that is missing, wrong or renamed", async (t) => {
  const cases: [string, (folder: string, parts: string[]) => Promise<unknown>, string][] = [
    ["missing", (_, parts) => Deno.remove(parts[2]), "demo-00003-of-00003.gguf: there is no such file"],
    [
      "another part under its name",
      (_, parts) => Deno.copyFile(parts[1], parts[2]),
      "demo-00003-of-00003.gguf: this should be part 3 of 3 of a split model, and it is part 2 of 3",
    ],
    [
      "a whole model under its name",
      (_, parts) => Deno.copyFile(demoModelFile(), parts[1]),
      "demo-00002-of-00003.gguf: this should be part 2 of 3 of a split model, and it is a whole one",
    ],
    [
      "a part of the model split otherwise",
      async (folder, parts) => {
        const [, second] = await splitFile(demoModelFile(), `${folder}/two`, 2);
        await Deno.rename(second, parts[1]);
      },
      "and it is part 2 of 2",
    ],
  ];
  for (const [name, damage, message] of cases) {
    await t.step(name, () =>
      inFolder(async (folder, parts) => {
        await damage(folder, parts);
        await assertRejects(() => openGguf(parts[0]), GgufError, message);
      }));
  }
  await t.step("renamed", () =>
    inFolder(async (folder, parts) => {
      await Deno.rename(parts[0], `${folder}/renamed.gguf`);
      const error = await assertRejects(() => openGguf(`${folder}/renamed.gguf`), GgufError);
      assert(error.message.includes("it must end in -00001-of-00003.gguf"), error.message);
    }));
});

Deno.test("locateModel() downloads all parts of a split model and gives the one that was named", async () => {
  const cache = await Deno.makeTempDir();
  await using stub = new HubStub(new TextEncoder().encode("part"));
  const before = ["KUMI_CACHE", "HF_ENDPOINT"].map((name) => [name, Deno.env.get(name)] as const);
  Deno.env.set("KUMI_CACHE", cache);
  Deno.env.set("HF_ENDPOINT", stub.endpoint);
  try {
    const reports: [number, number][] = [];
    const progress = (done: number, total: number) => void reports.push([done, total]);
    const path = await locateModel("hf:kumi/big/a-00002-of-00003.gguf", { progress });
    assertEquals(path, `${cache}/models/kumi/big/main/a-00002-of-00003.gguf`);
    for (const each of partPaths(path)) assertEquals(await Deno.readTextFile(each), "part");
    assertEquals(reports.at(-1), [12, 12]);
    assert(reports.every(([done, total]) => done <= total && total === 12), JSON.stringify(reports));
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    await Deno.remove(cache, { recursive: true });
  }
});
