import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { partPaths } from "../gguf/split.ts";
import { cachedModels, findCached, removeCached } from "./cached_models.ts";
import { cachedPath, checkpointFolder, namedPath } from "./cache.ts";
import { HubError } from "./error.ts";
import { NAMED_MODELS } from "./named_models.ts";
import { parseHubReference, parseHubRepository } from "./reference.ts";

/** Lets a test have a cache with these files of so many bytes. */
async function withCache(
  files: (folder: string) => Record<string, number>,
  test: (folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir({ prefix: "kumi-cache-" });
  try {
    for (const [path, bytes] of Object.entries(files(folder))) {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(path, new Uint8Array(bytes));
    }
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const hub = (folder: string, text: string) => cachedPath(folder, parseHubReference(text));
const SPLIT = "hf:o/r@v1/q4/m-00001-of-00002.gguf";

const FULL = (folder: string) => ({
  [namedPath(folder, NAMED_MODELS[0])]: 10,
  [`${namedPath(folder, NAMED_MODELS[0])}.lock`]: 0,
  [`${folder}/named/old-0123456789ab/old.gguf`]: 5,
  [hub(folder, "hf:o/r/m.gguf")]: 20,
  [`${hub(folder, "hf:o/r/cut.gguf")}.part`]: 7,
  [`${hub(folder, "hf:o/r/cut.gguf")}.part.json`]: 3,
  [hub(folder, SPLIT)]: 30,
  [hub(folder, SPLIT).replace("00001-of", "00002-of")]: 31,
  [hub(folder, "hf:o/half/m-00001-of-00002.gguf")]: 8,
  [`${checkpointFolder(folder, parseHubRepository("hf:o/tensors"))}/config.json`]: 1,
  [`${checkpointFolder(folder, parseHubRepository("hf:o/tensors"))}/model.safetensors`]: 40,
  [`${folder}/bench/other`]: 99,
});

Deno.test("cachedModels() names what lies there as users write it, with all of its parts", async () => {
  await withCache(FULL, async (folder) => {
    const models = await cachedModels(partPaths, folder);
    const seen = models.map(({ name, bytes, isWhole }) => [name.replace(folder, "…"), bytes, isWhole]);
    assertEquals(seen, [
      ["…/named/old-0123456789ab/old.gguf", 5, true],
      ["hf:o/half/m-00001-of-00002.gguf", 8, false],
      ["hf:o/r/cut.gguf", 10, false],
      ["hf:o/r/m.gguf", 20, true],
      [SPLIT, 61, true],
      ["hf:o/tensors", 41, true],
      [NAMED_MODELS[0].name, 10, true],
    ]);
    assertEquals(findCached(models, "smollm2").path, namedPath(folder, NAMED_MODELS[0]));
    assertThrows(() => findCached(models, "hf:o/r/x.gguf"), HubError, "it was not downloaded");
    assertThrows(() => findCached(models, "/x.gguf"), HubError, "only what was downloaded lies there");
  });
  assertEquals(await cachedModels(partPaths, "/nowhere/at/all"), []);
});

Deno.test("removeCached() removes a model with all that belongs to it, and nothing else", async () => {
  await withCache(FULL, async (folder) => {
    const models = await cachedModels(partPaths, folder);
    for (const name of [SPLIT, "hf:o/r/cut.gguf", "smollm2", "hf:o/tensors"]) {
      await removeCached(findCached(models, name), folder);
    }
    assertEquals((await cachedModels(partPaths, folder)).map(({ bytes }) => bytes), [5, 8, 20]);
    const left = (path: string) => Deno.readDirSync(`${folder}/${path}`).map(({ name }) => name).toArray();
    assertEquals(left("models/o/r"), ["main"], "folders that are empty go, too");
    assertEquals([left("."), left("named")].map((names) => names.toSorted()), [
      ["bench", "models", "named"],
      ["old-0123456789ab"],
    ]);
  });
});

Deno.test("removeCached() leaves what another process downloads", async () => {
  await withCache((folder) => ({
    [`${hub(folder, "hf:o/r/m.gguf")}.part`]: 7,
    [`${hub(folder, "hf:o/r/m.gguf")}.lock`]: 0,
  }), async (folder) => {
    const [model] = await cachedModels(partPaths, folder);
    using lock = await Deno.open(`${model.path}.lock`, { write: true });
    await lock.lock(true);
    await assertRejects(() => removeCached(model, folder), HubError, "is downloading hf:o/r/m.gguf");
    assertEquals((await cachedModels(partPaths, folder)).length, 1);
  });
});
