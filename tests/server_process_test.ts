/** `kumi serve` as a process: settings, permissions, signals; and what becomes of requests when it ends. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { serve } from "../mod.ts";
import { ROOT } from "../src/setup/paths.ts";
import { fakeUpstream } from "./support/fake_upstream.ts";
import { TemporaryFolder } from "./support/models.ts";
import {
  command,
  endGroup,
  follow,
  freePort,
  GROUP,
  isWindows,
  output,
  printedPermissions,
  SERVE,
  start,
} from "./support/server_process.ts";
import { ANSWER, CHAT, ENDLESS, errorOf, QUESTION, startServer, TEXT } from "./support/server.ts";
import { waitUntil } from "./support/waiting.ts";

Deno.test("kumi serve runs with the permissions that it prints, and SIGTERM ends it", async () => {
  const port = freePort();
  const permissions = await printedPermissions(port);
  const { child, url, until, end } = await start([...SERVE, "--port", `${port}`], permissions);
  assertEquals(url, `http://127.0.0.1:${port}`);
  await until("kumi: ready: ");
  const ask = (path: string, body: unknown) =>
    fetch(url + path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  const { choices } = await (await ask(CHAT, { messages: QUESTION, temperature: 0 })).json();
  assertEquals(choices[0].message.content, ANSWER);
  assertEquals(await (await fetch(`${url}/readyz`)).json(), { ready: true, state: "ready" });
  const page = await fetch(`${url}/docs`);
  assertStringIncludes(await page.text(), "<h1>kumi</h1>");
  const etag = page.headers.get("etag") ?? "";
  const again = await fetch(`${url}/docs`, { headers: { "if-none-match": etag } });
  assertEquals([again.status, await again.text()], [304, ""]);
  const described = await fetch(`${url}/docs`, { headers: { accept: "application/json" } });
  assertEquals(await described.json(), await (await fetch(`${url}/openapi.json`)).json());
  const running = await ask(TEXT, { ...ENDLESS, stream: true });
  child.kill("SIGTERM");
  assert((await running.text()).endsWith("data: [DONE]\n\n"), "a running request did not end");
  const { code, log } = await end();
  assertEquals(code, 0, log);
  assertStringIncludes(log, "shutting down");
  await assertRejects(() => fetch(`${url}/livez`));
});

Deno.test("kumi serve reaches its upstreams with the permissions that it prints, and shows their keys to nobody", async () => {
  await using there = fakeUpstream();
  using folder = new TemporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  const keys = ["sk-in-a-file-1", "sk-in-a-variable-1"];
  const models = [{ name: "large" }];
  const upstreams = [
    { name: "gpu", url: there.url, models, data: "internal", keyFile: at("key") },
    { name: "cloud", url: there.url, models, data: "public", keyEnv: "CLOUD_KEY", healthMs: 0 },
  ];
  const rules = [{ data: ["public"], upstreams: ["cloud"] }];
  await Deno.writeTextFile(at("key"), `${keys[0]}\n`);
  await Deno.writeTextFile(
    at("config.json"),
    JSON.stringify({ upstreams, routing: { rules }, accessLog: true }),
  );
  const args = ["--port", `${freePort()}`, "--config", at("config.json")];
  const env = { CLOUD_KEY: keys[1] };
  const printed = await output([...args, "--print-permissions"], env);
  const { child, url, until, end } = await start([...SERVE, ...args], printed.stdout.trim().split(" "), env);
  await until("kumi: ready: ");
  for (const data of ["internal", "public"]) {
    const answer = await fetch(url + CHAT, {
      method: "POST",
      body: JSON.stringify({ model: "large", messages: QUESTION, kumi: { data } }),
      headers: { "content-type": "application/json" },
    });
    assertEquals((await answer.json()).choices[0].message.content, "Hello from there");
  }
  assertEquals(
    there.seen.map(({ headers }) => headers.get("authorization")),
    keys.map((key) => `Bearer ${key}`),
  );
  child.kill("SIGTERM");
  const [lines, { log }] = await Promise.all([new Response(child.stdout).text(), end()]);
  assertStringIncludes(log, "shutting down");
  assertEquals(lines.trim().split("\n").map((line) => JSON.parse(line).place), ["gpu", "cloud"]);
  for (const key of keys) assert(!`${printed.stdout}${lines}${log}`.includes(key));
});

Deno.test("kumi serve needs each permission that it prints", async () => {
  const port = freePort();
  const permissions = await printedPermissions(port);
  const needed = permissions.filter((flag) => /^--allow-(net|read|ffi|env)/.test(flag));
  assertEquals(needed.length, 4);
  const outcomes = await Promise.all(needed.map(async (missing) => {
    const fewer = permissions.filter((flag) => flag !== missing && flag !== "--ignore-env");
    const { code } = await command([...SERVE, "--port", `${port}`], fewer).output();
    return code;
  }));
  assertEquals(outcomes, [1, 1, 1, 1]);
});

Deno.test("kumi serve takes settings from a file and says which are wrong", async () => {
  using folder = new TemporaryFolder();
  const file = `${folder.path}/kumi.json`;
  await Deno.writeTextFile(file, JSON.stringify({ port: 70_000 }));
  const wrong = await output(["--config", file]);
  assertEquals([wrong.code, wrong.stderr.trim()], [
    2,
    `kumi: ${file}: "port" must be an integer from 0 to 65535, current value is 70000`,
  ]);
  const open = await output(["--host", "0.0.0.0", "--port", "0"]);
  assertEquals(open.code, 2);
  assertStringIncludes(open.stderr, "--api-keys");
  const gone = await output(["--model", `${folder.path}/none.gguf`, "--port", "0"]);
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.stderr, "none.gguf");
  assertEquals(JSON.parse((await output(["--print-schema"])).stdout).additionalProperties, false);
  assertStringIncludes((await output(["--help"])).stdout, "--drain-seconds");
});

Deno.test("examples/serve.ts serves, and a second signal ends it at once", async () => {
  const { child, url, until, end } = await start([`${ROOT}/examples/serve.ts`, "demo", "0"], ["--allow-all"]);
  for (let i = 0; i < 400; i++) {
    const response = await fetch(`${url}/readyz`);
    const { ready } = await response.json();
    if (ready) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  // Work that is there whenever the signal comes: what has ended is asked for again until the server refuses. Its class
  // has no objective, for which some would be refused at once.
  let isOpen = true;
  const ask = async () => {
    while (isOpen) {
      const response = await fetch(url + TEXT, {
        method: "POST",
        body: JSON.stringify({ ...ENDLESS, n: 8, class: "batch" }),
        headers: { "content-type": "application/json" },
      });
      isOpen &&= response.ok;
      await response.body?.cancel();
    }
  };
  const clients = Array.from({ length: 20 }, () => ask().catch(() => isOpen = false));
  await waitUntil(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const counts = metrics.matchAll(/^vllm:num_requests_(?:running|waiting)\{.*\} (\d+)$/gm);
    return counts.reduce((sum, [, count]) => sum + Number(count), 0) >= 64;
  }, "64 sequences never ran or waited at once");
  child.kill("SIGINT");
  await until("shutting down");
  // What comes within a second of the first is the first again.
  const again = setInterval(() => child.kill("SIGINT"), 300);
  const { code } = await end();
  clearInterval(again);
  await Promise.all(clients);
  assertEquals(code, 130);
});

Deno.test({
  name: "a signal to all processes of deno task serve at once lets running requests end",
  ignore: isWindows,
  fn: async () => {
    const task = new Deno.Command(Deno.execPath(), {
      ...GROUP,
      args: ["task", "--quiet", "serve", "--port", "0"],
      cwd: ROOT,
    });
    const { child, url, until, end } = await follow(task);
    using _group = { [Symbol.dispose]: () => endGroup(child.pid) };
    await until("kumi: ready: ");
    // Long enough for the signal to arrive on all ways while they run.
    const running = await fetch(url + TEXT, {
      method: "POST",
      body: JSON.stringify({ ...ENDLESS, n: 8, stream: true }),
      headers: { "content-type": "application/json" },
    });
    // Each of the processes passes it on to the next: one that is slow, later.
    Deno.kill(-child.pid, "SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 100));
    Deno.kill(-child.pid, "SIGTERM");
    const text = await running.text().catch(String);
    const { log } = await end();
    assert(text.endsWith("data: [DONE]\n\n"), `a running request did not end: ${text.slice(-80)}`);
    assertEquals(log.match(/shutting down/g)?.length, 1, log);
  },
});

Deno.test({
  name: "kumi serve --exit-with-parent ends once the process that started it has gone",
  ignore: isWindows,
  fn: async () => {
    const task = `"${Deno.execPath()}" task --quiet serve --port 0`;
    for (const settings of ["--exit-with-parent", "KUMI_EXIT_WITH_PARENT=1"]) {
      const line = settings.startsWith("--") ? `${task} ${settings}` : `${settings} ${task}`;
      // The shell is not the parent of the server: two processes are between them.
      const shell = new Deno.Command("sh", { ...GROUP, args: ["-c", `${line} & wait`], cwd: ROOT });
      const { child, until, end } = await follow(shell);
      using _group = { [Symbol.dispose]: () => endGroup(child.pid) };
      await until("kumi: ready: ");
      child.kill("SIGKILL");
      const { log } = await end();
      assertStringIncludes(log, "shutting down");
    }
  },
});

Deno.test("a server that ends lets requests finish, refuses new ones, and then ends the rest with an error", async () => {
  const { server, model, get, post } = await startServer({ drainSeconds: 0.2, contextLength: 512 });
  const finishing = post(TEXT, { ...ENDLESS, max_tokens: 5 });
  // More than fits into the time.
  const endless = Array.from({ length: 24 }, (_, i) => post(TEXT, { ...ENDLESS, n: 8, stream: i % 2 === 0 }));
  const first = await endless[0];
  const ending = server.shutdown();
  const refusal = errorOf(post(TEXT, ENDLESS), 503);
  const readiness = errorOf(get("/readyz"), 503);
  assertEquals((await refusal).code, "draining");
  assertEquals((await readiness).code, "draining");
  assertEquals((await (await finishing).json()).usage.completion_tokens, 5);
  const texts = await Promise.all(
    [first, ...await Promise.all(endless.slice(1))].map((response) => response.text()),
  );
  const cut = texts.filter((text) => text.includes('"code":"draining"'));
  assert(cut.length > 0, "everything was done in time");
  for (const text of cut) assert(!text.includes("[DONE]"), "a stream that failed ended with [DONE]");
  await ending;
  await server.finished;
  assert(!model.health().ready);
});

Deno.test("a server answers before its model is loaded", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  await using server = serve({ model: path, port: 0, threads: 1, canaryMs: 0 });
  const { code, headers } = await errorOf(fetch(`${server.url}/v1/models`), 503);
  assertEquals([code, headers.get("retry-after")], ["loading", "5"]);
  assertEquals((await errorOf(fetch(`${server.url}/readyz`), 503)).code, "loading");
  assertEquals(await (await fetch(`${server.url}/livez`)).json(), { live: true });
  await server.ready;
  assertEquals((await (await fetch(`${server.url}/readyz`)).json()).ready, true);
});

Deno.test("kumi serve sends spans of its requests where Deno's OpenTelemetry is switched on", async () => {
  const spans: { name: string; attributes: string }[] = [];
  await using collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const body = await request.json();
    if (!request.url.endsWith("/v1/traces")) return Response.json({});
    for (const { scopeSpans } of body.resourceSpans) {
      for (const { spans: some } of scopeSpans) {
        for (const { name, attributes } of some) {
          spans.push({ name, attributes: JSON.stringify(attributes) });
        }
      }
    }
    return Response.json({});
  });
  const port = freePort();
  // No permission more than without: Deno sends them itself.
  const permissions = await printedPermissions(port);
  const { child, url, until, end } = await start([...SERVE, "--port", `${port}`], permissions, {
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  });
  await until("kumi: ready: ");
  const response = await fetch(url + CHAT, {
    method: "POST",
    body: JSON.stringify({ messages: QUESTION, temperature: 0, stream: true }),
    headers: { "content-type": "application/json" },
  });
  assertStringIncludes(await response.text(), "[DONE]");
  child.kill("SIGTERM");
  const { code, log } = await end();
  assertEquals(code, 0, log);
  const span = spans.find(({ name }) => name.includes("POST"));
  assert(span !== undefined, JSON.stringify(spans));
  assertStringIncludes(span.attributes, CHAT);
  assert(!span.attributes.includes("17 + 25"), "a span has the text of a prompt");
});

Deno.test("kumi serve keeps files with the permissions that it prints, in its folder alone", async () => {
  using folder = new TemporaryFolder();
  const port = freePort();
  const args = ["--port", `${port}`, "--batch-dir", `${folder.path}/batches`];
  const { stdout } = await output([...args, "--print-permissions"]);
  const permissions = stdout.trim().split(" ");
  assertEquals(permissions.filter((flag) => flag.startsWith("--allow-write")), [
    `--allow-write=${folder.path}/batches`,
  ]);
  const { child, url, until, end } = await start([...SERVE, ...args], permissions);
  await until("kumi: ready: ");
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", new Blob(["a"]), "a.jsonl");
  const response = await fetch(`${url}/v1/files`, { method: "POST", body: form });
  const file = await response.json();
  assertEquals([response.status, file.filename, file.bytes], [200, "a.jsonl", 1]);
  assertEquals(await (await fetch(`${url}/v1/files/${file.id}/content`)).text(), "a");
  child.kill("SIGTERM");
  assertEquals((await end()).code, 0);
});
