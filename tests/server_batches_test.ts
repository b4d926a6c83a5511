/** Files and batches of a server: OpenAI's client, several keys, restarts, and whoever means it no good. */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { serve, type ServeOptions } from "../mod.ts";
import { DEFAULT_CLASSES } from "../scheduler/mod.ts";
import { kumiCommand } from "./support/kumi.ts";
import { type Module, npmModules } from "./support/npm.ts";
import { ANSWER, errorOf, QUESTION, startServer, type TestServer } from "./support/server.ts";
import { readUntil, waitUntil } from "./support/waiting.ts";

const openai = await npmModules("openai@7");
const [KEY, OTHER] = ["key-of-a-client", "key-of-another"];
/** Nothing waits for others to come. */
const CLASSES = DEFAULT_CLASSES.map((each) => ({ ...each, maxWaitMs: 0 }));

// deno-lint-ignore no-explicit-any
type Json = any;

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "kumi-batches-" });
  [Symbol.dispose]() {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function start(dir: string, options: Omit<ServeOptions, "batches"> & { batches?: object } = {}) {
  return startServer({ classes: CLASSES, ...options, batches: { dir, ...options.batches } });
}

const bearer = (key?: string): HeadersInit => key === undefined ? {} : { authorization: `Bearer ${key}` };

function form(
  content: string | Uint8Array,
  fields: Record<string, string> = { purpose: "batch" },
  name = "in.jsonl",
) {
  const data = new FormData();
  // As OpenAI's clients do: the file may come first.
  data.append("file", new Blob([content as BlobPart]), name);
  for (const [field, value] of Object.entries(fields)) data.append(field, value);
  return data;
}

function send(
  server: TestServer,
  body: BodyInit,
  key?: string,
  headers: HeadersInit = {},
): Promise<Response> {
  return server.get("/v1/files", { method: "POST", body, headers: { ...bearer(key), ...headers } });
}

async function json(pending: Promise<Response>): Promise<Json> {
  const response = await pending;
  const text = await response.text();
  assertEquals(response.status, 200, text);
  return JSON.parse(text);
}

const line = (custom_id: string, body: object, url = "/v1/completions") =>
  JSON.stringify({ custom_id, method: "POST", url, body });

/** Stories that take a while. */
const stories = (count: number, max_tokens: number) =>
  Array.from(
    { length: count },
    (_, i) =>
      line(`story-${i}`, { prompt: `Once ${i}`, max_tokens, ignore_eos: true, temperature: 1, seed: i }),
  ).join("\n");

async function create(server: TestServer, content: string, more: object = {}, key?: string): Promise<Json> {
  const { id } = await json(send(server, form(content), key));
  const body = { input_file_id: id, endpoint: "/v1/completions", completion_window: "24h", ...more };
  return await json(server.post("/v1/batches", body, { headers: bearer(key) }));
}

/** A batch in one of these states. */
async function until(server: TestServer, id: string, isThere: (batch: Json) => boolean): Promise<Json> {
  for (let i = 0; i < 3000; i++) {
    const batch = await json(server.get(`/v1/batches/${id}`));
    if (isThere(batch)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`batch ${id} never came so far: ${await (await server.get(`/v1/batches/${id}`)).text()}`);
}

const hasEnded = ({ status }: Json) => ["completed", "failed", "expired", "cancelled"].includes(status);

async function linesOf(server: TestServer, file: string | null): Promise<Json[]> {
  if (file === null) return [];
  const text = await (await server.get(`/v1/files/${file}/content`)).text();
  return text.trimEnd().split("\n").map((each) => JSON.parse(each));
}

Deno.test({
  name: "npm's openai client sends files, has them done as batches and reads the answers",
  ignore: openai === null,
  // Its connections stay open for a while.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    using folder = new Folder();
    await using server = await start(folder.path, { apiKeys: [KEY] });
    const { default: OpenAI, toFile } = openai![0] as Module;
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 });
    const bodies = [{ messages: QUESTION, temperature: 0 }, { messages: QUESTION, temperatur: 0 }];
    const content = bodies.map((body, i) => line(`r${i}`, body, "/v1/chat/completions")).join("\n");
    const file = await client.files.create({
      file: await toFile(new TextEncoder().encode(content), "requests.jsonl"),
      purpose: "batch",
      expires_after: { anchor: "created_at", seconds: 7200 },
    });
    assertEquals([file.filename, file.bytes, file.expires_at - file.created_at], [
      "requests.jsonl",
      content.length,
      7200,
    ]);
    assertEquals((await client.files.retrieve(file.id)).id, file.id);
    assertEquals(await (await client.files.content(file.id)).text(), content);
    const made = await client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
      metadata: { "a-name": "b" },
    });
    assertEquals([made.status, made.metadata, made.expires_at - made.created_at], ["validating", {
      "a-name": "b",
    }, 86_400]);
    let batch = made;
    while (batch.status !== "completed") {
      assert(batch.status !== "failed");
      batch = await client.batches.retrieve(made.id);
    }
    assertEquals(batch.request_counts, { total: 2, completed: 1, failed: 1 });
    const [answer] = (await (await client.files.content(batch.output_file_id)).text()).trimEnd().split("\n");
    const { custom_id, response } = JSON.parse(answer);
    assertEquals([custom_id, response.body.choices[0].message.content], ["r0", ANSWER]);
    const [wrong] = (await (await client.files.content(batch.error_file_id)).text()).trimEnd().split("\n");
    assertEquals(JSON.parse(wrong).response.body.error.param, "temperatur");

    const files: string[] = [];
    for await (const { purpose } of client.files.list({ limit: 1 })) files.push(purpose);
    assertEquals(files.sort(), ["batch", "batch_output", "batch_output"]);
    const batches: string[] = [];
    for await (const { id } of client.batches.list({ limit: 1 })) batches.push(id);
    assertEquals(batches, [made.id]);
    assertEquals((await client.files.delete(file.id)).deleted, true);
    const gone = await client.files.retrieve(file.id).catch((error: Json) => error);
    assertEquals([gone.status, gone.code], [404, "file_not_found"]);
    const metrics = await (await server.get("/metrics", { headers: bearer(KEY) })).text();
    for (
      const sample of [
        'kumi:batches_ended_total{model_name="demo",status="completed"} 1',
        'outcome="failed"} 1',
      ]
    ) {
      assertStringIncludes(metrics, sample);
    }
  },
});

Deno.test("a server without a folder for batches says so", async () => {
  await using server = await startServer();
  for (
    const [path, init] of [
      ["/v1/files", {}],
      ["/files/file-1", {}],
      ["/v1/files", { method: "POST", body: form("a") }],
      ["/v1/batches", { method: "POST", body: "{}" }],
      ["/v1/batches/batch_1/cancel", { method: "POST" }],
    ] as const
  ) {
    const error = await errorOf(server.get(path, init), 404);
    assertEquals(error.code, "batches_off");
    assertStringIncludes(error.message, "--batch-dir DIR");
  }
});

Deno.test("a key sees its own files and batches alone", async () => {
  using folder = new Folder();
  await using server = await start(folder.path, { apiKeys: [KEY, OTHER] });
  const batch = await create(server, stories(2, 5), {}, KEY);
  const mine = { headers: bearer(KEY) }, theirs = { headers: bearer(OTHER) };
  for (const path of [`/v1/files/${batch.input_file_id}`, `/v1/files/${batch.input_file_id}/content`]) {
    assertEquals((await errorOf(server.get(path, theirs), 404)).code, "file_not_found");
    const seen = await server.get(path, mine);
    assertEquals(seen.status, 200);
    await seen.body?.cancel();
  }
  assertEquals((await errorOf(server.get(`/v1/batches/${batch.id}`, theirs), 404)).code, "batch_not_found");
  await errorOf(server.post(`/v1/batches/${batch.id}/cancel`, "", theirs), 404);
  await errorOf(server.get(`/v1/files/${batch.input_file_id}`, { method: "DELETE", ...theirs }), 404);
  const use = { input_file_id: batch.input_file_id, endpoint: "/v1/completions", completion_window: "24h" };
  await errorOf(server.post("/v1/batches", use, theirs), 404);
  for (const path of ["/v1/files", "/v1/batches"]) {
    assertEquals((await json(server.get(path, theirs))).data, []);
    assertEquals((await json(server.get(path, mine))).data.length >= 1, true);
  }
  await errorOf(server.get("/v1/files"), 401);
});

Deno.test("files are kept within bounds, whatever they are called and however they break off", async (t) => {
  using folder = new Folder();
  const limits = { bytesMax: 5000, filesMax: 3 };
  await using server = await start(folder.path, { batches: limits, bodyLimits: { timeMs: 300 } });
  const stored = async () => (await json(server.get("/v1/files"))).data.length;

  await t.step("names never become paths", async () => {
    const names = ["../../../etc/passwd", "..\\..\\x", "a\u001b[31m\u0000b", "x".repeat(1000), ""];
    for (const name of names) {
      const file = await json(send(server, form("a", undefined, name)));
      assertMatch(file.id, /^file-[0-9a-f]{32}$/);
      // deno-lint-ignore no-control-regex
      assert(!/[\u0000-\u001f/\\]/.test(file.filename) && file.filename.length <= 255, file.filename);
      await json(server.get(`/v1/files/${file.id}`, { method: "DELETE" }));
    }
    for (const id of ["..", "%2e%2e%2f", "file-1/../../x", "lock", "a/content/b", "\u0000", "file-%00"]) {
      await errorOf(server.get(`/v1/files/${id}`), 404);
    }
  });

  await t.step("what is no file is refused, and nothing is left of it", async () => {
    const multipart = "multipart/form-data; boundary=x";
    const cases: [BodyInit, number, string, string?][] = [
      ["{}", 415, "multipart/form-data", "application/json"],
      ["x", 415, "multipart/form-data", "multipart/form-data"],
      [form("a", {}), 400, '"purpose" is missing'],
      [form("a", { purpose: "assistants" }), 400, "for batches alone"],
      [form("a", { purpose: "other" }), 400, '"purpose"'],
      [form("a", { purpose: "batch", more: "1" }), 400, 'no field "more"'],
      [form("a", { purpose: "batch", "expires_after[seconds]": "1" }), 400, "expires_after[seconds]"],
      ["--x--\r\n", 400, "", multipart],
      ["--x\r\ngarbage", 400, "", multipart],
      ["x", 400, "", "multipart/form-data; charset=x"],
    ];
    for (const [body, status, message, type] of cases) {
      const headers: HeadersInit = type === undefined ? {} : { "content-type": type };
      assertStringIncludes((await errorOf(send(server, body, undefined, headers), status)).message, message);
    }
    const only = new FormData();
    only.append("purpose", "batch");
    assertStringIncludes((await errorOf(send(server, only), 400)).message, '"file" is missing');
    const two = form("a");
    two.append("file", new Blob(["b"]), "b");
    await errorOf(send(server, two), 400);
    assertEquals(await stored(), 0);
  });

  await t.step("more than a key may keep is refused, before it is all there", async () => {
    const error = await errorOf(send(server, form("x".repeat(20_000))), 400);
    assertEquals(error.code, "quota_exceeded");
    for (let i = 0; i < 3; i++) await json(send(server, form("x".repeat(1000))));
    assertEquals((await errorOf(send(server, form("x")), 400)).code, "quota_exceeded");
    const [{ id }] = (await json(server.get("/v1/files"))).data;
    await json(server.get(`/v1/files/${id}`, { method: "DELETE" }));
    assertEquals((await errorOf(send(server, form("x".repeat(4000))), 400)).code, "quota_exceeded");
    await json(send(server, form("x")));
  });

  await t.step("a file that breaks off, or does not come, leaves nothing", async () => {
    const files = await json(server.get("/v1/files"));
    for (const { id } of files.data) await json(server.get(`/v1/files/${id}`, { method: "DELETE" }));
    const head =
      "POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\n" +
      'content-length: 4000\r\n\r\n--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf';
    const { port } = new URL(server.url);
    for (const stays of [false, true]) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      await connection.write(new TextEncoder().encode(head));
      if (!stays) continue;
      const bytes = new Uint8Array(1000);
      const count = await connection.read(bytes);
      assertStringIncludes(new TextDecoder().decode(bytes.subarray(0, count ?? 0)), " 408 ");
    }
    for (let i = 0; i < 200; i++) {
      if (
        !Array.from(Deno.readDirSync(`${folder.path}/open`)).some(({ name }) => name.startsWith("upload-"))
      ) break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assertEquals(Array.from(Deno.readDirSync(`${folder.path}/open`)), []);
    assertEquals(await stored(), 0);
    assertMatch(await (await server.get("/metrics")).text(), /kumi:batch_stored_bytes\{[^}]*\} 0\n/);
  });
});

Deno.test("a batch whose file is wrong fails and says where", async () => {
  using folder = new Folder();
  await using server = await start(folder.path);
  const cases: [string, [string, number | null][]][] = [
    ["", [["invalid_file", null]]],
    [`no JSON\n${line("a", {})}\n${line("a", {})}\n${line("b", {}, "/v1/embeddings")}`, [
      ["invalid_json", 1],
      ["duplicate_custom_id", 3],
      ["mismatched_url", 4],
    ]],
  ];
  for (const [content, wanted] of cases) {
    const { id } = await create(server, content);
    const batch = await until(server, id, hasEnded);
    assertEquals([batch.status, batch.output_file_id], ["failed", null]);
    assertEquals(batch.errors.data.map(({ code, line }: Json) => [code, line]), wanted);
  }
  const { id } = await json(send(server, form("a")));
  const good = { input_file_id: id, endpoint: "/v1/completions", completion_window: "24h" };
  for (
    const [more, param] of [
      [{ endpoint: "/v1/images" }, "endpoint"],
      [{ completion_window: "1y" }, "completion_window"],
      [{ completion_window: "31d" }, "completion_window"],
      [{ metadata: { a: 1 } }, "metadata"],
      [{ other: 1 }, "other"],
    ] as const
  ) assertEquals((await errorOf(server.post("/v1/batches", { ...good, ...more }), 400)).param, param);
  await errorOf(server.post("/v1/batches", { ...good, input_file_id: "../x" }), 404);
});

Deno.test("a batch that is cancelled keeps the answers that it has, and its file is free", async () => {
  using folder = new Folder();
  await using server = await start(folder.path);
  const { id, input_file_id: file } = await create(server, stories(200, 200));
  await until(server, id, ({ request_counts }) => request_counts.completed > 0);
  const busy = await errorOf(server.get(`/v1/files/${file}`, { method: "DELETE" }), 400);
  assertEquals(busy.code, "file_in_use");
  assertMatch((await json(server.post(`/v1/batches/${id}/cancel`, ""))).status, /^cancell(ing|ed)$/);
  const batch = await until(server, id, hasEnded);
  assertEquals(batch.status, "cancelled");
  const { completed } = batch.request_counts;
  assert(completed > 0 && completed < 200, `${completed}`);
  assertEquals((await linesOf(server, batch.output_file_id)).length, completed);
  assertEquals((await errorOf(server.post(`/v1/batches/${id}/cancel`, ""), 400)).code, "batch_ended");
  await json(server.get(`/v1/files/${file}`, { method: "DELETE" }));
});

Deno.test("a server that cannot listen leaves the folder of batches to others", async () => {
  using folder = new Folder();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const options = { batches: { dir: folder.path }, usageFile: `${folder.path}/usage.json` };
  assertThrows(() => serve({ ...options, port: taken.addr.port }), Deno.errors.AddrInUse);
  // A folder in use is an Error of another kind.
  for (let time = 0; time < 2; time++) {
    await waitUntil(() => {
      const error = assertThrows(() => serve({ ...options, port: 0, gate: { headMs: 0 } }));
      return error instanceof RangeError && error.message.includes("gate.headMs");
    }, "the folder is free");
  }
});

Deno.test("another server goes on with a batch where the one before was ended", async () => {
  using folder = new Folder();
  const whole = stories(60, 150);
  let id: string, waiting: string;
  {
    await using server = await start(folder.path);
    ({ id } = await create(server, whole));
    ({ id: waiting } = await create(server, stories(3, 5)));
    await until(server, id, ({ request_counts }) => request_counts.completed > 3);
    assertThrows(() => serve({ port: 0, batches: { dir: folder.path } }), Error, "in use by another server");
  }
  const answers = `${folder.path}/open/${id}.answers.jsonl`;
  const before = (await Deno.readTextFile(answers)).trimEnd().split("\n");
  assert(before.length > 3 && before.length < 60, `${before.length}`);
  // As a server that was killed leaves it.
  await Deno.writeTextFile(answers, before[0].slice(0, 50), { append: true });
  await Deno.writeTextFile(`${folder.path}/open/upload-0`, "half");
  await Deno.writeTextFile(`${folder.path}/open/file-0.jsonl`, "without a record");

  await using server = await start(folder.path);
  const batch = await until(server, id, hasEnded);
  assertEquals([batch.status, batch.request_counts], ["completed", { total: 60, completed: 60, failed: 0 }]);
  const lines = await linesOf(server, batch.output_file_id);
  assertEquals(new Set(lines.map(({ custom_id }) => custom_id)).size, 60);
  assertEquals(lines.slice(0, before.length).map((each) => JSON.stringify(each)), before);
  const [first] = lines;
  const { body } = JSON.parse(whole.split("\n").find((each) => each.includes(`"${first.custom_id}"`))!);
  const again = await json(server.post("/v1/completions", body));
  assertEquals(first.response.body.choices[0].text, again.choices[0].text);
  await until(server, waiting, hasEnded);
  const names = Array.from(Deno.readDirSync(`${folder.path}/open`), ({ name }) => name);
  assertEquals(names.filter((name) => /upload|file-0\.|answers|\.part/.test(name)), []);
});

Deno.test("what is too old goes: batches whose window has passed, files", async () => {
  using folder = new Folder();
  let id: string, file: string;
  {
    await using server = await start(folder.path);
    ({ id, input_file_id: file } = await create(server, stories(60, 200)));
    await until(server, id, ({ request_counts }) => request_counts.completed > 0);
  }
  const change = async (name: string, fields: object) => {
    const path = `${folder.path}/open/${name}.json`;
    await Deno.writeTextFile(
      path,
      JSON.stringify({ ...JSON.parse(await Deno.readTextFile(path)), ...fields }),
    );
  };
  await change(id, { expires_at: 1000 });
  await change(file, { expires_at: 1000 });
  {
    await using server = await start(folder.path);
    const batch = await until(server, id, hasEnded);
    const { completed, failed } = batch.request_counts;
    assertEquals([batch.status, completed + failed, completed > 0], ["expired", 60, true]);
    const errors = await linesOf(server, batch.error_file_id);
    assertEquals(errors.length, failed);
    assert(errors.every(({ response, error }) => response === null && error.code === "batch_expired"));
    assertEquals((await linesOf(server, batch.output_file_id)).length, completed);
    await errorOf(server.get(`/v1/files/${file}`), 404);
  }
  await change(id, { created_at: 1000 });
  await using server = await start(folder.path);
  await errorOf(server.get(`/v1/batches/${id}`), 404);
});

Deno.test("answers stop where a key has no room for more", async () => {
  using folder = new Folder();
  const content = stories(60, 100);
  await using server = await start(folder.path, { batches: { bytesMax: content.length + 4000 } });
  const { id } = await create(server, content);
  const batch = await until(server, id, hasEnded);
  const { completed, failed } = batch.request_counts;
  assertEquals([batch.status, completed + failed, completed > 0], ["completed", 60, true]);
  const errors = await linesOf(server, batch.error_file_id);
  assert(errors.length > 0 && errors.every(({ error }) => error.code === "quota_exceeded"));
});

Deno.test("a server that was killed in the middle of a batch goes on with it", async () => {
  using folder = new Folder();
  const args = ["serve", "--port", "0", "--threads", "1", "--batch-dir", folder.path];
  const run = async () => {
    const child = (await kumiCommand(args)).spawn();
    await child.stdin.close();
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    const log = await readUntil(reader, "ready:");
    const url = /listening on (http:\S+?),/.exec(log)![1];
    const get = (path: string, init?: RequestInit) => fetch(url + path, init);
    const post = (path: string, body: unknown) =>
      get(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
    const end = async (signal: Deno.Signal) => {
      child.kill(signal);
      await Promise.all([child.status, child.stdout.cancel(), reader.cancel()]);
    };
    return { server: { get, post } as TestServer, end };
  };
  const first = await run();
  const { id } = await create(first.server, stories(80, 200));
  await until(first.server, id, ({ request_counts }) => request_counts.completed > 3);
  await first.end("SIGKILL");
  const second = await run();
  const batch = await until(second.server, id, hasEnded);
  assertEquals(batch.request_counts, { total: 80, completed: 80, failed: 0 });
  const lines = await linesOf(second.server, batch.output_file_id);
  assertEquals([lines.length, new Set(lines.map(({ custom_id }) => custom_id)).size], [80, 80]);
  await second.end("SIGTERM");
});
