/** A repository on a hub that is a folder of safetensors. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type DownloadProgress,
  downloadRepository,
  HubError,
  isHubRepository,
  parseHubRepository,
  type RepositoryOptions,
} from "../src/hub/mod.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { weightFiles } from "../src/safetensors/folder.ts";
import { CheckpointError } from "../src/safetensors/error.ts";
import { HubStub } from "./hub_stub.ts";

const NAME = "hf:kumi/tiny";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const SETTINGS = {
  "config.json": "{}",
  "tokenizer.json": '{"model":{}}',
  "chat_template.jinja": "{{ messages }}",
  "README.md": "# not fetched",
  "pytorch_model.bin": "not fetched",
};
const SHARDED = {
  ...SETTINGS,
  "model.safetensors.index.json": JSON.stringify({
    weight_map: { a: "model-2.safetensors", b: "model-1.safetensors", c: "model-2.safetensors" },
  }),
  "model-1.safetensors": "a".repeat(150_000),
  "model-2.safetensors": "b".repeat(50_000),
};

function filesOf(texts: Record<string, string>): Map<string, Uint8Array> {
  return new Map(Object.entries(texts).map(([name, text]) => [name, new TextEncoder().encode(text)]));
}

async function setUp(files: Record<string, string>) {
  const stub = new HubStub(new Uint8Array());
  stub.repository = { files: filesOf(files), commit: COMMIT, isListed: true };
  const cache = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  const options: RepositoryOptions = {
    cache,
    endpoint: stub.endpoint,
    token: "",
    retryBaseMs: 1,
    weightFiles,
  };
  return {
    stub,
    options,
    repository: stub.repository,
    folder: `${cache}/checkpoints/kumi/main/tiny`,
    asked: () => stub.log.filter(({ server }) => server === "hub").map(({ path }) => path),
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await Deno.remove(cache, { recursive: true });
    },
  };
}

async function contents(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith(".")) found[name] = await Deno.readTextFile(`${folder}/${name}`);
  }
  return found;
}

function without(files: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

Deno.test("downloadRepository() fetches a folder from one commit, reports one total, and asks only once", async () => {
  await using test = await setUp(SHARDED);
  const reports: DownloadProgress[] = [];
  const folder = await downloadRepository(NAME, {
    ...test.options,
    onProgress: (each) => reports.push(each),
  });
  assertEquals(folder, test.folder);
  const expected = without(SHARDED, "README.md", "pytorch_model.bin");
  const found = await contents(folder);
  assertEquals(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, text] of Object.entries(expected)) assert(found[name] === text, name);
  const total = Object.values(expected).reduce((sum, { length }) => sum + length, 0);
  assertEquals([reports.at(-1)?.bytes, reports.at(-1)?.totalBytes], [total, total]);
  const ofWeights = reports.filter(({ bytes }) => bytes > 1000);
  assert(ofWeights.every(({ totalBytes }) => totalBytes === total), JSON.stringify(ofWeights));
  const [first, ...rest] = test.asked();
  assertEquals(first, "/kumi/tiny/resolve/main/config.json");
  assert(rest.every((path) => path.includes(COMMIT)), rest.join(" "));
  const count = test.stub.log.length;
  assertEquals(await downloadRepository(NAME, test.options), folder);
  assertEquals(test.stub.log.length, count);
});

Deno.test("downloadRepository() fetches one file of weights, and works without a list of files", async () => {
  await using test = await setUp({ ...SETTINGS, "model.safetensors": "weights" });
  test.repository.isListed = false;
  const folder = await downloadRepository(NAME, test.options);
  assertEquals((await contents(folder))["model.safetensors"], "weights");
});

Deno.test("downloadRepository() resumes, with the commit that it began with", async () => {
  await using test = await setUp(SHARDED);
  test.stub.faults.push({ kind: "cut", afterBytes: 100_000 });
  await assertRejects(
    () => downloadRepository(NAME, { ...test.options, attemptsMax: 1 }),
    HubError,
    "resume",
  );
  test.stub.log.length = 0;
  // Somebody pushes between the two.
  test.repository.commit = "f".repeat(40);
  const folder = await downloadRepository(NAME, test.options);
  assertEquals((await contents(folder))["model-1.safetensors"], SHARDED["model-1.safetensors"]);
  assert(test.asked().every((path) => path.includes(COMMIT)), test.asked().join(" "));
  const ranges = test.stub.log.filter(({ server }) => server === "storage").map(({ range }) => range);
  assert(ranges[0]?.startsWith("bytes="), `${ranges}`);
  assertEquals(test.asked().some((path) => path.endsWith("/config.json")), false);
});

Deno.test("downloadRepository() fetches a file again that was removed from the folder", async () => {
  await using test = await setUp(SHARDED);
  const folder = await downloadRepository(NAME, test.options);
  await Deno.remove(`${folder}/tokenizer.json`);
  test.stub.log.length = 0;
  await downloadRepository(NAME, test.options);
  assertEquals(await Deno.readTextFile(`${folder}/tokenizer.json`), SHARDED["tokenizer.json"]);
  assertEquals(test.stub.log.some(({ path }) => path.endsWith(".safetensors")), false);
});

Deno.test("downloadRepository() checks small files against git's own hash", async () => {
  assertEquals(
    HubStub.blobId(new TextEncoder().encode("hello\n")),
    "ce013625030ba8dba906f756967f9e9ca394464a",
  );
  await using test = await setUp(SHARDED);
  test.stub.announced = new TextEncoder().encode("[]");
  const error = await assertRejects(() => downloadRepository(NAME, test.options), HubError, "git blob");
  assertEquals(error.kind, "mismatch");
  test.stub.announced = undefined;
  assertEquals(await downloadRepository(NAME, test.options), test.folder);
});

Deno.test("downloadRepository() fetches a revision into a folder of its own", async () => {
  await using test = await setUp({ ...SETTINGS, "model.safetensors": "weights" });
  const folder = await downloadRepository(`${NAME}@v1.0`, test.options);
  assertEquals(folder, test.folder.replace("/main/", "/v1.0/"));
  assertEquals(test.asked()[0], "/kumi/tiny/resolve/v1.0/config.json");
});

Deno.test("downloadRepository() says what to write where there are GGUF files instead", async () => {
  await using test = await setUp({
    "README.md": "",
    "tiny-q4_k.gguf": "x",
    "big/a-00001-of-00002.gguf": "x",
    "big/a-00002-of-00002.gguf": "x",
  });
  const error = await assertRejects(
    () => downloadRepository(`${NAME}@v1`, test.options),
    HubError,
    "config.json",
  );
  assertEquals(error.message.split("\n").slice(1), [
    "  hf:kumi/tiny@v1/big/a-00001-of-00002.gguf",
    "  hf:kumi/tiny@v1/tiny-q4_k.gguf",
  ]);
  test.repository.isListed = false;
  await assertRejects(() => downloadRepository(NAME, test.options), HubError, "hf:kumi/tiny/FILE.gguf");
  test.repository.isListed = true;
  for (const name of test.repository.files.keys()) {
    if (name.endsWith(".gguf")) test.repository.files.delete(name);
  }
  await assertRejects(() => downloadRepository(NAME, test.options), HubError, "no GGUF files");
});

Deno.test("downloadRepository() names the file that a repository lacks", async () => {
  for (
    const [files, words] of [
      [without(SHARDED, "tokenizer.json"), "has no tokenizer.json"],
      [
        without(SHARDED, "model-2.safetensors"),
        "has no model-2.safetensors, which model.safetensors.index.json names",
      ],
      [SETTINGS, "has no model.safetensors and no model.safetensors.index.json"],
    ] as const
  ) {
    await using test = await setUp(files);
    await assertRejects(() => downloadRepository(NAME, test.options), HubError, words);
  }
});

Deno.test("downloadRepository() fetches nothing by a name in an index that is a path", async () => {
  for (const file of ["../evil.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.bin", ""]) {
    const index = JSON.stringify({ weight_map: { a: file } });
    await using test = await setUp({ ...SETTINGS, "model.safetensors.index.json": index });
    await assertRejects(() => downloadRepository(NAME, test.options), CheckpointError, "weight_map");
    assertEquals(test.stub.log.some(({ server }) => server === "storage"), false);
  }
});

Deno.test("downloadRepository() asks for room before it fetches the weights", async () => {
  await using test = await setUp({ ...SETTINGS, "model.safetensors": "weights" });
  const huge = { length: 2 ** 50 } as Uint8Array; // as the list has it
  test.repository.files.set("model.safetensors", huge);
  const error = await assertRejects(
    () => downloadRepository(NAME, test.options),
    HubError,
    "free some space",
  );
  assertEquals(error.kind, "disk");
  assertEquals(test.stub.log.some(({ path }) => path.endsWith(".safetensors")), false);
});

Deno.test("downloadRepository() lets one of two callers download", async () => {
  await using test = await setUp(SHARDED);
  const paths = await Promise.all([
    downloadRepository(NAME, test.options),
    downloadRepository(NAME, test.options),
  ]);
  assertEquals(paths, [test.folder, test.folder]);
  assertEquals(test.stub.log.filter(({ server }) => server === "storage").length, 2);
});

Deno.test("locateModel() gives the folder of a repository", async () => {
  await using test = await setUp({ ...SETTINGS, "model.safetensors": "weights" });
  const before = ["KUMI_CACHE", "HF_ENDPOINT"].map((name) => [name, Deno.env.get(name)] as const);
  Deno.env.set("KUMI_CACHE", test.options.cache!);
  Deno.env.set("HF_ENDPOINT", test.stub.endpoint);
  try {
    assertEquals(await locateModel(NAME), test.folder);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});

Deno.test("parseHubRepository() reads names and refuses what is malformed or leaves the cache", () => {
  assertEquals(parseHubRepository("hf:o/r"), { owner: "o", repo: "r", revision: "main" });
  assertEquals(parseHubRepository("hf:o/r@v1"), { owner: "o", repo: "r", revision: "v1" });
  assertEquals(["hf:o/r", "hf:o/r/f.gguf", "o/r", "hf:o"].map(isHubRepository), [true, false, false, false]);
  const bad = [
    "hf:",
    "hf:o",
    "hf:o/",
    "hf:/r",
    "hf:../r",
    "hf:o/..",
    "hf:o/r@..",
    "hf:o/r@",
    "hf:o@v/r",
    "hf:o/f.gguf",
    "o/r",
  ];
  for (const name of bad) {
    const error = assertThrows(() => parseHubRepository(name), HubError);
    assertStringIncludes(error.message, JSON.stringify(name));
  }
});
