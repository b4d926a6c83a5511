/** Prefixes that another process of the same model has stored: read back to the same bits. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type KvFormat, loadModel, type LoadOptions, type Model } from "../mod.ts";
import { KernelError, Kernels } from "../src/ffi/context.ts";
import { scalarEntry } from "../src/gguf/mod.ts";
import { TemporaryFolder } from "./support/models.ts";
import { startServer, TEXT } from "./support/server.ts";

const PROMPT = Array.from({ length: 620 }, (_, i) => (i * 7919 + 13) % 500);

/** The answer to a prompt, and how much of that was known. */
async function answer(model: Model, prompt: readonly number[], tenant = "") {
  const options = { seed: 5, temperature: 1, maxTokens: 12, ignoreEnd: true, receipt: true, tenant } as const;
  const { receipt, usage } = await model.generate(prompt, options).result;
  return { sha256: receipt!.answer.sha256, cached: usage.cachedTokens };
}

async function storeStats(model: Model) {
  return (await model.stats()).workers[0].prefixStore!;
}

/** Waits until so many files are there. */
async function untilStored(model: Model, files: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if ((await storeStats(model)).files >= files) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing was stored: ${JSON.stringify(await storeStats(model))}`);
}

const CASES: readonly { shape: string; kvFormat: KvFormat; key?: string; isa?: string }[] = [
  { shape: "llama-tiny", kvFormat: "f16" },
  // Of integer formats every level computes the same.
  { shape: "llama-tiny", kvFormat: "q8_0", isa: "baseline" },
  { shape: "gemma3-tiny", kvFormat: "f16", key: new Uint8Array(32).fill(7).toBase64() },
];

for (const { shape, kvFormat, key, isa } of CASES) {
  const manner = [
    shape,
    kvFormat,
    ...key === undefined ? [] : ["encrypted"],
    ...isa === undefined ? [] : [isa],
  ];
  Deno.test(`a stored prefix gives the bits that computing it gives: ${manner.join(", ")}`, async () => {
    using folder = new TemporaryFolder();
    const context = scalarEntry("u32", `${shape.split("-")[0]}.context_length`, 1024);
    const path = await folder.randomModel(shape, "q8_0", 1, [context]);
    const dir = `${folder.path}/prefixes`;
    const options: LoadOptions = { threads: 1, contextLength: 1024, kvFormat, prefixStore: { dir, key } };
    // The second prompt makes what both have in common worth storing.
    const other = PROMPT.with(600, 1);
    let computed;
    {
      await using model = await loadModel(path, options);
      computed = await answer(model, PROMPT);
      assertEquals(computed.cached, 0);
      await answer(model, other);
      await untilStored(model, 2);
    }
    await using model = await loadModel(path, { ...options, isa });
    const restored = await answer(model, PROMPT);
    assertEquals(restored, { sha256: computed.sha256, cached: 512 });
    const { restoredTokens, problems } = await storeStats(model);
    assertEquals([restoredTokens, problems], [512, 0]);
    assertEquals((await answer(model, PROMPT.with(0, 1))).cached, 0);
    // What another tenant has stored is not there, nor in the cache.
    assertEquals((await answer(model, PROMPT, "other")).cached, 0);
  });
}

Deno.test("a server keeps prefixes for each key apart, and tells figures of its store", async () => {
  using folder = new TemporaryFolder();
  const dir = `${folder.path}/prefixes`;
  const keys = ["key-of-the-first", "key-of-the-second"];
  const options = { apiKeys: keys, prefixStore: { dir } };
  const body = (question: number) => ({ prompt: [...PROMPT.slice(0, 300), question], max_tokens: 4 });
  const ask = async (test: Awaited<ReturnType<typeof startServer>>, key: string, question: number) => {
    const response = await test.post(TEXT, body(question), { headers: { authorization: `Bearer ${key}` } });
    return (await response.json()).usage.prompt_tokens_details.cached_tokens;
  };
  {
    await using test = await startServer(options);
    await ask(test, keys[0], 1);
    await ask(test, keys[0], 2);
    await untilStored(test.model, 1);
  }
  await using test = await startServer(options);
  assertEquals(await ask(test, keys[1], 1), 0);
  assert(await ask(test, keys[0], 3) >= 256);
  const metrics = await (await test.get("/metrics", { headers: { authorization: `Bearer ${keys[0]}` } }))
    .text();
  const restored = /^kumi:prefix_store_restored_tokens_total\{[^}]*\} (\d+)$/m.exec(metrics)?.[1];
  assert(Number(restored) >= 256, metrics.match(/.*prefix_store.*/g)?.join("\n"));
});

Deno.test("loadModel() says what is wrong with a store", async () => {
  using folder = new TemporaryFolder();
  const file = `${folder.path}/file`;
  await Deno.writeTextFile(file, "");
  const load = (options: LoadOptions) => loadModel("demo", { threads: 1, ...options });
  await assertRejects(() => load({ prefixStore: { dir: file } }), RangeError, "cannot be used");
  await assertRejects(
    () => load({ prefixStore: { dir: `${folder.path}/a`, key: "AAAA" } }),
    RangeError,
    "32 bytes in base64",
  );
  await assertRejects(
    () => load({ prefixStore: { dir: `${folder.path}/a` }, prefixCache: false }),
    RangeError,
    "needs the prefix cache",
  );
});

Deno.test("Arena copies blocks as bytes that do not depend on their place, and refuses others", () => {
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  const layers = [{ kvHeads: 2, keyDim: 32, valueDim: 64 }, {
    kvHeads: 1,
    keyDim: 32,
    valueDim: 32,
    window: 8,
    group: 1,
  }];
  const arena = kernels.createArena({ layers, slots: 128, format: 1 });
  const size = arena.blockBytes(0);
  assertEquals([size, arena.blockBytes(1)], [16 * 2 * (2 * 96), 16 * 2 * 64]);
  const bytes = Uint8Array.from({ length: 2 * size }, (_, i) => i * 13 % 251);
  arena.writeBlocks(0, 3, 2, bytes);
  const read = (group: number, first: number, count: number, length = count * size) => {
    const target = new Uint8Array(length);
    arena.readBlocks(group, first, count, target);
    return target;
  };
  assertEquals(read(0, 3, 2), bytes);
  arena.writeBlocks(0, 6, 1, bytes.subarray(size));
  assertEquals(read(0, 6, 1), read(0, 4, 1));
  assertEquals(read(0, 5, 1).every((byte) => byte === 0), true);
  for (
    const [group, first, count, length] of [[2, 0, 1, size], [0, 8, 1, size], [0, 7, 2, 2 * size], [
      0,
      0,
      0,
      0,
    ], [
      0,
      0,
      1,
      size - 1,
    ], [0, 2 ** 32 - 1, 2, 2 * size]]
  ) assertThrows(() => read(group, first, count, length), KernelError);
  assertThrows(() => arena.writeBlocks(1, 0, 1, new Uint8Array(size)), KernelError);
  assertThrows(() => arena.blockBytes(2), KernelError);
});
