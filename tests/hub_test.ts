import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  cacheFolder,
  downloadModel,
  type DownloadOptions,
  type DownloadProgress,
  formatHubReference,
  HubError,
  parseHubReference,
} from "../src/hub/mod.ts";
import { Meter } from "../src/hub/meter.ts";
import { diskError } from "../src/hub/part_file.ts";
import { HubStub } from "./hub_stub.ts";

const NAME = "hf:kumi/tiny/q4/tiny.gguf";

function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A stub, an empty cache, and quick options; cleaned up after the test. */
async function setUp(content = bytesOf(200_000)) {
  const stub = new HubStub(content);
  const cache = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  const options: DownloadOptions = { cache, endpoint: stub.endpoint, token: "", retryBaseMs: 1 };
  return {
    stub,
    cache,
    options,
    path: `${cache}/models/kumi/tiny/main/q4/tiny.gguf`,
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await Deno.remove(cache, { recursive: true });
    },
  };
}

/** Leaves the first bytes of a download in the cache, as a crash would. */
async function interrupt(stub: HubStub, options: DownloadOptions): Promise<void> {
  stub.faults.push({ kind: "cut", afterBytes: 100_000 });
  await assertRejects(
    () => downloadModel(NAME, { ...options, attemptsMax: 1 }),
    HubError,
    "repeat the command to resume",
  );
}

async function names(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) found.push(entry.name);
  return found.sort();
}

Deno.test("downloadModel() fetches a file, reports progress, and asks only once", async () => {
  await using test = await setUp();
  const reports: DownloadProgress[] = [];
  const path = await downloadModel(NAME, { ...test.options, onProgress: (report) => reports.push(report) });
  assertEquals(path, test.path);
  assertEquals(await Deno.readFile(path), test.stub.content);
  assertEquals(reports.at(-1)?.bytes, 200_000);
  assertEquals(reports.at(-1)?.totalBytes, 200_000);
  assertEquals(test.stub.log[0].path, "/kumi/tiny/resolve/main/q4/tiny.gguf");
  assertEquals(await names(path.replace(/[^/]*$/, "")), ["tiny.gguf", "tiny.gguf.lock"]);
  await downloadModel(NAME, test.options);
  assertEquals(test.stub.log.length, 2);
});

Deno.test("downloadModel() sends the token to the hub and not to the storage it redirects to", async () => {
  await using test = await setUp();
  await downloadModel(NAME, { ...test.options, token: "hf_secret" });
  assertEquals(test.stub.log.map(({ server, authorization }) => [server, authorization]), [
    ["hub", "Bearer hf_secret"],
    ["storage", null],
  ]);
});

Deno.test("downloadModel() resumes within one call when the connection is cut", async () => {
  await using test = await setUp();
  test.stub.faults.push({ kind: "cut", afterBytes: 50_000 }, { kind: "cut", afterBytes: 50_000 });
  const path = await downloadModel(NAME, test.options);
  assertEquals(await Deno.readFile(path), test.stub.content);
  const ranges = test.stub.log.filter((entry) => entry.server === "storage").map((entry) => entry.range);
  assertEquals(ranges.length, 3);
  assertEquals(ranges[0], null);
  assert(ranges[1]?.startsWith("bytes="));
});

Deno.test("downloadModel() resumes what an earlier process left", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  const kept = (await Deno.stat(`${test.path}.part`)).size;
  assertGreater(kept, 0);
  const reports: DownloadProgress[] = [];
  const path = await downloadModel(NAME, { ...test.options, onProgress: (report) => reports.push(report) });
  assertEquals(test.stub.log.at(-1)?.range, `bytes=${kept}-`);
  assertEquals(reports[0].phase, "resume");
  assertEquals(await Deno.readFile(path), test.stub.content);
});

Deno.test("downloadModel() begins again when the file changed before it resumes", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  test.stub.content = bytesOf(150_000, 2);
  const path = await downloadModel(NAME, test.options);
  assertEquals(await Deno.readFile(path), test.stub.content);
});

Deno.test("downloadModel() begins again when only the hub's word on the file changed", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  // Storage still serves the old bytes as resumable, the hub announces others: the old part must not be completed.
  test.stub.announced = bytesOf(200_000, 3);
  await assertRejects(() => downloadModel(NAME, test.options), HubError, "arrived damaged");
  assertEquals(test.stub.log.at(-1)?.range, null);
});

Deno.test("downloadModel() begins again when the server does not resume", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  test.stub.ranges = false;
  assertEquals(await Deno.readFile(await downloadModel(NAME, test.options)), test.stub.content);
});

Deno.test("downloadModel() begins again when the part is longer than the file", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  await Deno.writeFile(`${test.path}.part`, bytesOf(300_000, 9));
  assertEquals(await Deno.readFile(await downloadModel(NAME, test.options)), test.stub.content);
});

Deno.test("downloadModel() discards a damaged part through the checksum, and the next call succeeds", async () => {
  await using test = await setUp();
  await interrupt(test.stub, test.options);
  const part = await Deno.readFile(`${test.path}.part`);
  part[10] ^= 1;
  await Deno.writeFile(`${test.path}.part`, part);
  await assertRejects(() => downloadModel(NAME, test.options), HubError, "arrived damaged");
  assertEquals(await names(test.path.replace(/[^/]*$/, "")), ["tiny.gguf.lock"]);
  assertEquals(await Deno.readFile(await downloadModel(NAME, test.options)), test.stub.content);
});

Deno.test("downloadModel() refuses a file whose size or SHA-256 is another than announced", async () => {
  await using test = await setUp();
  test.stub.announced = bytesOf(200_000, 7);
  await assertRejects(() => downloadModel(NAME, test.options), HubError, "SHA-256");
  test.stub.announced = test.stub.content.slice(0, 100_000);
  await assertRejects(
    () => downloadModel(NAME, test.options),
    HubError,
    "has 100000 bytes, but 200000 are sent",
  );
});

Deno.test("downloadModel() works without the hub's own headers", async () => {
  await using test = await setUp();
  test.stub.linked = false;
  await interrupt(test.stub, test.options);
  assertEquals(await Deno.readFile(await downloadModel(NAME, test.options)), test.stub.content);
});

Deno.test("downloadModel() tries again after 5xx and 429", async () => {
  await using test = await setUp();
  test.stub.faults.push({ kind: "status", status: 503 }, { kind: "status", status: 429, retryAfter: "0" });
  const waits: [string, number][] = [];
  await downloadModel(NAME, { ...test.options, onWait: (reason, ms) => waits.push([reason, ms]) });
  assertStringIncludes(waits[0][0], "503");
  assertEquals(waits[1][1], 0);
});

Deno.test("downloadModel() gives a hub up at once that nothing listens for, and names it", async () => {
  await using test = await setUp();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const waits: string[] = [];
  const error = await assertRejects(
    () => downloadModel(NAME, { ...test.options, endpoint, onWait: (reason) => waits.push(reason) }),
    HubError,
  );
  assertEquals([error.kind, waits], ["network", []]);
  for (
    const part of [NAME, endpoint.slice(7), "connection refused", "HF_ENDPOINT", "a file on this machine"]
  ) {
    assertStringIncludes(error.message, part);
  }
});

Deno.test("downloadModel() tells of each attempt to reach a hub that does not answer, and makes few", async () => {
  await using test = await setUp();
  // Takes connections and says nothing.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  const waits: [string, number][] = [];
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  const error = await assertRejects(
    () =>
      downloadModel(NAME, {
        ...test.options,
        endpoint,
        reachMs: 50,
        attemptsMax: 100,
        onWait: (reason, ms) => waits.push([reason, ms]),
      }),
    HubError,
  );
  const silent = `${endpoint.slice(7)} was silent for 0.05 s`;
  assertEquals(waits, [[silent, 1], [silent, 2]]);
  assertStringIncludes(error.message, silent);
  listener.close();
  await accepting;
  for (const connection of connections) connection.close();
});

Deno.test("downloadModel() keeps trying where the hub has answered and its storage is away", async () => {
  await using test = await setUp();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  test.stub.location = `http://127.0.0.1:${listener.addr.port}/blob`;
  listener.close();
  const waits: string[] = [];
  await downloadModel(NAME, {
    ...test.options,
    onWait: (reason) => {
      waits.push(reason);
      if (waits.length === 4) test.stub.location = undefined;
    },
  });
  assertEquals(waits.length, 4);
});

Deno.test("downloadModel() gives up after attemptsMax attempts", async () => {
  await using test = await setUp();
  for (let i = 0; i < 3; i++) test.stub.faults.push({ kind: "status", status: 500 });
  const error = await assertRejects(
    () => downloadModel(NAME, { ...test.options, attemptsMax: 3 }),
    HubError,
    "500",
  );
  assertEquals(error.kind, "network");
  assertEquals(test.stub.log.filter((entry) => entry.server === "storage").length, 3);
});

Deno.test("downloadModel() tries again when the server falls silent", async () => {
  await using test = await setUp();
  test.stub.faults.push({ kind: "silence" });
  const waits: string[] = [];
  const path = await downloadModel(NAME, {
    ...test.options,
    stallMs: 200,
    onWait: (reason) => waits.push(reason),
  });
  assertStringIncludes(waits[0], "silent");
  assertEquals(await Deno.readFile(path), test.stub.content);
});

Deno.test("downloadModel() explains 401, 404 and other refusals and does not repeat them", async () => {
  await using test = await setUp();
  for (
    const [status, kind, words] of [[401, "access", "HF_TOKEN"], [404, "not-found", "does not exist"], [
      400,
      "server",
      "400",
    ]] as const
  ) {
    test.stub.hubStatus = status;
    test.stub.log.length = 0;
    const error = await assertRejects(() => downloadModel(NAME, test.options), HubError, words);
    assertEquals(error.kind, kind);
    assertEquals(test.stub.log.length, 1);
  }
});

Deno.test("downloadModel() stops at the signal and keeps what has arrived", async () => {
  await using test = await setUp();
  test.stub.faults.push({ kind: "silence" });
  const controller = new AbortController();
  const stopped = new Error("enough");
  const download = downloadModel(NAME, {
    ...test.options,
    signal: controller.signal,
    onProgress: () => controller.abort(stopped),
  });
  assertEquals(await assertRejects(() => download), stopped);
  assertGreater((await Deno.stat(`${test.path}.part`)).size, 0);
  assertEquals(await Deno.readFile(await downloadModel(NAME, test.options)), test.stub.content);
});

Deno.test("downloadModel() lets one of two callers download", async () => {
  await using test = await setUp();
  const waits: string[] = [];
  const options = { ...test.options, onWait: (reason: string) => waits.push(reason) };
  const paths = await Promise.all([downloadModel(NAME, options), downloadModel(NAME, options)]);
  assertEquals(paths, [test.path, test.path]);
  assertEquals(test.stub.log.filter((entry) => entry.server === "storage").length, 1);
  assertEquals(waits, ["another process downloads this file"]);
});

Deno.test("downloadModel() refuses redirects that are endless or lead elsewhere than http", async () => {
  await using test = await setUp();
  test.stub.location = "/again";
  await assertRejects(() => downloadModel(NAME, test.options), HubError, "redirects more than");
  test.stub.location = "file:///etc/passwd";
  await assertRejects(() => downloadModel(NAME, test.options), HubError, "not secure");
});

Deno.test("downloadModel() refuses an endpoint that is no address", async () => {
  await using test = await setUp();
  await assertRejects(
    () => downloadModel(NAME, { ...test.options, endpoint: "hub" }),
    HubError,
    "HF_ENDPOINT",
  );
});

Deno.test("parseHubReference() reads names with folders and revisions", () => {
  assertEquals(parseHubReference("hf:o/r@v1.0/a/b.GGUF"), {
    owner: "o",
    repo: "r",
    revision: "v1.0",
    path: "a/b.GGUF",
  });
  for (const name of ["hf:o/r/f.gguf", "hf:o/r@v1/q/f.gguf"]) {
    assertEquals(formatHubReference(parseHubReference(name)), name);
  }
});

Deno.test("parseHubReference() refuses what is incomplete or leaves the cache", () => {
  const bad = [
    "",
    "hf:",
    "hf:o/r",
    "hf:f.gguf",
    "hf:o/r/",
    "hf:../r/f.gguf",
    "hf:o/../f.gguf",
    "hf:o/r/../f.gguf",
    "hf:o/r/a/../../f.gguf",
    "hf:o/r/./f.gguf",
    "hf:o/r//f.gguf",
    "hf:/o/r/f.gguf",
    "hf:o/r/a\\b.gguf",
    "hf:o/r/a%2fb.gguf",
    "hf:o/r/a\0.gguf",
    "hf:o/r@../f.gguf",
    "hf:o/r@a@b/f.gguf",
    "hf:o/r/.hidden.gguf",
    "hf:o/r/C:/f.gguf",
    "hf:o/r/f.bin",
    `hf:o/r/${"a/".repeat(20)}f.gguf`,
    `hf:o/r/${"a".repeat(200)}.gguf`,
  ];
  for (const name of bad) assertThrows(() => parseHubReference(name), HubError);
});

Deno.test("cacheFolder() follows KUMI_CACHE, XDG and the system", () => {
  const folder = (os: string, env: Record<string, string>) => cacheFolder((name) => env[name], os);
  assertEquals(folder("linux", { KUMI_CACHE: "/c/", HOME: "/h" }), "/c");
  assertEquals(folder("linux", { XDG_CACHE_HOME: "/x", HOME: "/h" }), "/x/kumi");
  assertEquals(folder("linux", { XDG_CACHE_HOME: "relative", HOME: "/h" }), "/h/.cache/kumi");
  assertEquals(folder("darwin", { HOME: "/h" }), "/h/Library/Caches/kumi");
  assertEquals(folder("windows", { LOCALAPPDATA: "C:\\L" }), "C:\\L\\kumi\\cache");
  assertThrows(() => folder("linux", {}), HubError, "KUMI_CACHE");
});

Deno.test("diskError() says what to do about a full or read-only disk", () => {
  const full = diskError(
    Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" }),
    "/c/f",
  );
  assert(full instanceof HubError && full.message.includes("disk is full"));
  const other = new Error("other");
  assertEquals(diskError(other, "/c/f"), other);
});

Deno.test("Meter measures speed and time left over the last seconds", () => {
  const meter = new Meter("download", 0, 0);
  assertEquals(meter.report(1000, 10_000, 1000)?.bytesPerSecond, 1000);
  assertEquals(meter.report(1001, 10_000, 1050), null);
  const later = meter.report(2000, 10_000, 2000);
  assertEquals([later?.bytesPerSecond, later?.secondsLeft], [1000, 8]);
  assertEquals(meter.report(10_000, 10_000, 2001)?.bytes, 10_000);
});
