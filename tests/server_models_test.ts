/** Several models in one server: real engines with the demo model, whose files several names have. */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type KumiModelsServer, serve, serveModels, type ServeModelsOptions } from "../mod.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { SseParser } from "../src/loadtest/sse.ts";
import { TemporaryFolder } from "./support/models.ts";
import { ANSWER, CHAT, ENDLESS, errorOf, eventsOf, QUESTION, TEXT } from "./support/server.ts";

const MIB = 2 ** 20;

interface Started extends AsyncDisposable {
  readonly server: KumiModelsServer;
  get(path: string): Promise<Response>;
  post(path: string, body: unknown, headers?: HeadersInit): Promise<Response>;
  /** State by model. */
  states(): Promise<Record<string, string>>;
}

const named = (...names: string[]) => names.map((name) => ({ name, model: "demo", kvTokens: 1024 }));

async function start(options: ServeModelsOptions): Promise<Started> {
  const server = serveModels({ port: 0, threads: 1, canaryMs: 0, ...options });
  await server.ready;
  const get = (path: string) => fetch(server.url + path);
  return {
    server,
    get,
    post: (path, body, headers) =>
      fetch(server.url + path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    states: async () => {
      const { data } = await (await get("/v1/models")).json();
      return Object.fromEntries(
        data.map(({ id, kumi }: { id: string; kumi: { state: string } }) => [id, kumi.state]),
      );
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function textOf(response: Promise<Response>): Promise<string> {
  const answered = await response;
  const body = await answered.text();
  assertEquals(answered.status, 200, body);
  return JSON.parse(body).choices[0].message.content;
}

Deno.test("each model answers under its names as it does alone, and is loaded when it is asked for", async () => {
  await using alone = serve({ port: 0, threads: 1, canaryMs: 0 });
  await alone.ready;
  await using several = await start({
    models: [...named("a", "b"), { ...named("c d/é")[0], aliases: ["gpt-4o"] }],
  });
  assertEquals(await several.states(), { a: "unloaded", b: "unloaded", "c d/é": "unloaded" });
  assertEquals((await (await several.get("/readyz")).json()).ready, true);
  const body = { messages: QUESTION, temperature: 1, seed: 7, max_tokens: 30, logprobs: true };
  const choicesOf = async (url: string, model?: string) => {
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, model }),
    };
    return (await (await fetch(url + CHAT, init)).json()).choices;
  };
  const expected = await choicesOf(alone.url);
  for (const model of [undefined, "b", "gpt-4o", "a"]) {
    assertEquals(await choicesOf(several.server.url, model), expected, model);
  }
  assertEquals(await several.states(), { a: "ready", b: "ready", "c d/é": "ready" });
  const one = await (await several.get(`/v1/models/${encodeURIComponent("c d/é")}`)).json();
  assertEquals([one.id, one.kumi.state, one.kumi.context_length, one.kumi.aliases], ["c d/é", "ready", 512, [
    "gpt-4o",
  ]]);
  assert(one.kumi.memory_bytes > 128 * MIB && one.kumi.memory_bytes < 160 * MIB, `${one.kumi.memory_bytes}`);
  const unknown = await errorOf(several.post(CHAT, { ...body, model: "x" }), 404);
  assertEquals([unknown.code, unknown.param], ["model_not_found", "model"]);
  // A stream, other dialects, and what asks nothing of the engine's steps.
  const stream = await eventsOf(
    await several.post(CHAT, { messages: QUESTION, temperature: 0, model: "b", stream: true }),
  );
  assertEquals(stream.at(-1), "[DONE]");
  const { tokens } = await (await several.post("/tokenize", { model: "b", content: "Hello" })).json();
  assert(tokens.length > 0);
  const vectors = await (await several.post("/v1/embeddings", { model: "b", input: "Hello" })).json();
  assertEquals(vectors.model, "b");
});

Deno.test("Ollama's clients see what is in memory, and say how long a model stays", async () => {
  await using server = await start({ models: named("a", "b:1b"), keepAliveMs: 3_600_000 });
  const names = async (path: string) => {
    const { models } = await (await server.get(path)).json();
    return models.map(({ name }: { name: string }) => name);
  };
  assertEquals([await names("/api/tags"), await names("/api/ps")], [["a:latest", "b:1b"], []]);
  assertEquals(
    await (await server.get("/api/version")).json().then(({ version }) => typeof version),
    "string",
  );
  const ask = async (path: string, body: unknown) => await (await server.post(path, body)).json();
  const chat = { messages: QUESTION, stream: false, options: { temperature: 0 } };
  const { message } = await ask("/api/chat", { ...chat, model: "a:latest", keep_alive: "10m" });
  assertEquals([message.content, await names("/api/ps")], [ANSWER, ["a:latest"]]);
  const { models: [{ expires_at, size }] } = await (await server.get("/api/ps")).json();
  const minutes = (Date.parse(expires_at) - Date.now()) / 60_000;
  assert(minutes > 9 && minutes <= 10 && size > 128 * MIB, `${minutes} ${size}`);
  const preload = await ask("/api/generate", { model: "b:1b", keep_alive: -1 });
  assertEquals([preload.done_reason, await names("/api/ps")], ["load", ["a:latest", "b:1b"]]);
  const { models } = await (await server.get("/api/ps")).json();
  assertMatch(models[1].expires_at, /^9999/);
  for (
    const [path, body] of [["/api/generate", { model: "a", keep_alive: 0 }], ["/api/chat", {
      model: "a",
      keep_alive: "0s",
    }]]
  ) {
    assertEquals((await ask(path as string, body)).done_reason, "unload");
    while ((await server.states()).a !== "unloaded") await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // What a model is stays known, and asking for it loads nothing.
  assertEquals((await ask("/api/show", { model: "a" })).model_info["general.architecture"], "llama");
  assertEquals((await server.states()).a, "unloaded");
  // A request that is asked with it is answered before.
  const last = await ask("/api/chat", { ...chat, model: "a", keep_alive: 0 });
  assertEquals(last.message.content, ANSWER);
  while ((await server.states()).a !== "unloaded") await new Promise((resolve) => setTimeout(resolve, 5));
  const wrong = await server.post("/api/chat", { ...chat, keep_alive: "soon" });
  assertEquals([wrong.status, (await wrong.json()).error], [
    400,
    '"keep_alive" must be a duration such as 5m, 1h30m or 90 (seconds), current value is soon',
  ]);
});

Deno.test("three models of which two fit: each request is answered, and memory is never above its budget", async () => {
  const budget = 300 * MIB;
  await using server = await start({
    models: named("a", "b", "c"),
    memoryBytes: budget,
    loadWaitMs: 120_000,
  });
  let isOver = false, most = 0;
  const watching = (async () => {
    while (!isOver) {
      const text = await (await server.get("/metrics")).text();
      const held = Number(/^kumi:models_memory_bytes (\S+)$/m.exec(text)?.[1]);
      assert(held <= budget, `${held}`);
      const { data } = await (await server.get("/v1/models")).json();
      const bytes = data.map(({ kumi }: { kumi: { memory_bytes: number | null } }) => kumi.memory_bytes ?? 0);
      const sum = bytes.reduce((a: number, b: number) => a + b);
      assert(sum <= budget && bytes.filter(Boolean).length <= 2, `${bytes}`);
      most = Math.max(most, held);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const order = Array.from({ length: 36 }, (_, i) => "abc"[Math.floor(i / 4) % 3]);
  for (let i = 0; i < order.length; i += 12) {
    const texts = await Promise.all(
      order.slice(i, i + 12).map((model) =>
        textOf(server.post(CHAT, { model, messages: QUESTION, temperature: 0, deadline_ms: 120_000 }))
      ),
    );
    assertEquals(texts, new Array(12).fill(ANSWER));
  }
  isOver = true;
  await watching;
  assert(most > 128 * MIB);
  const text = await (await server.get("/metrics")).text();
  const loads = [..."abc"].map((name) =>
    Number(new RegExp(`^kumi:model_loads_total\\{model_name="${name}"\\} (\\d+)$`, "m").exec(text)?.[1])
  );
  assert(loads.every((count) => count >= 1) && loads[0] + loads[1] + loads[2] > 3, `${loads}`);
  assertStringIncludes(
    text,
    'vllm:request_success_total{model_name="c",class="interactive",finished_reason="stop"} 12\n',
  );
  assertStringIncludes(text, `kumi:models_memory_budget_bytes ${budget}\n`);
  const families = text.split("\n").filter((line) => line.startsWith("# TYPE "));
  assertEquals(new Set(families).size, families.length, "the format wants each family once");
  const queue = await (await server.get("/v1/queue")).json();
  assertEquals(queue.classes.find(({ name }: { name: string }) => name === "interactive").running, 0);
  assert(
    queue.models.length >= 1 && queue.workers.every(({ model }: { model: string }) => "abc".includes(model)),
  );
});

Deno.test("a stream keeps its model, and who waits in vain for the room is told what would have to leave", async () => {
  await using server = await start({ models: named("a", "b"), memoryBytes: 200 * MIB });
  let isOver = false, streams = 0;
  const keep = async (tokens: number) => {
    while (!isOver) {
      const response = await server.post(TEXT, { ...ENDLESS, model: "a", stream: true, max_tokens: tokens });
      assertEquals(response.status, 200, response.ok ? "" : await response.text());
      const events = await eventsOf(response);
      assertEquals([events.at(-1), events.some((event) => Object.hasOwn(event as object, "error"))], [
        "[DONE]",
        false,
      ]);
      streams++;
    }
  };
  // One at least is under way at any time: they do not end together.
  const keepers = [keep(200), keep(330), keep(470)];
  for (const keeper of keepers) keeper.catch(() => {});
  while (streams === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const waiting = textOf(
    server.post(CHAT, { model: "b", messages: QUESTION, temperature: 0, class: "batch" }),
  );
  waiting.catch(() => {});
  while ((await server.states()).b !== "waiting") await new Promise((resolve) => setTimeout(resolve, 1));
  const late = await errorOf(server.post(CHAT, { model: "b", messages: QUESTION, deadline_ms: 30 }), 503);
  assertEquals(late.code, "no_room");
  assertMatch(
    late.message,
    /^The model "b" needs 1[34]\d MiB, and \d\d MiB of 200 MiB are free: "a" \(1[34]\d MiB, \d requests?\) would/,
  );
  // As the dialects write errors, and with their own headers.
  const headers = { "x-kumi-deadline-ms": "20" };
  const ollama = await server.post("/api/generate", { model: "b", prompt: "Hi" }, headers);
  assertEquals([ollama.status, Object.keys(await ollama.json())], [503, ["error"]]);
  assertEquals(await server.states(), { a: "ready", b: "waiting" });
  isOver = true;
  await Promise.all(keepers);
  assertEquals(await waiting, ANSWER);
  assertEquals(await server.states(), { a: "unloaded", b: "ready" });
});

Deno.test("a server with one model counts its memory as one with several does", async () => {
  await using alone = serve({ port: 0, threads: 1, canaryMs: 0, kvTokens: 1024 });
  await alone.ready;
  await using several = await start({ models: named("a") });
  await textOf(several.post(CHAT, { messages: QUESTION }));
  const bytesOf = async (response: Promise<Response>) =>
    (await (await response).json()).data[0].kumi.memory_bytes;
  const bytes = await bytesOf(fetch(`${alone.url}/v1/models`));
  assert(bytes > 100 * MIB);
  assertEquals(bytes, await bytesOf(several.get("/v1/models")));
});

Deno.test("what cannot be loaded says why, and does not concern the others", async () => {
  using folder = new TemporaryFolder();
  const whole = await Deno.readFile(demoModelFile());
  await Deno.writeFile(`${folder.path}/cut.gguf`, whole.subarray(0, whole.length >> 1));
  await Deno.writeTextFile(`${folder.path}/none.gguf`, "no model");
  for (const name of ["good (1)", "gone"]) {
    await Deno.copyFile(demoModelFile(), `${folder.path}/${name}.gguf`);
  }
  const models = [{ name: "gone", model: `${folder.path}/gone.gguf` }, {
    name: "large",
    model: "demo",
    kvTokens: 2 ** 24,
  }];
  assertThrows(
    () => serveModels({ models: [{ name: "a", model: `${folder.path}/nope.gguf` }], port: 0 }),
    RangeError,
    `The model "a" cannot be served: there is no file ${folder.path}/nope.gguf`,
  );
  await using server = await start({ models, modelsDir: folder.path, memoryBytes: 1024 * MIB });
  await Deno.remove(`${folder.path}/gone.gguf`);
  const problem = async (model: string) => {
    const { code, message } = await errorOf(server.post(CHAT, { model, messages: QUESTION }), 503);
    assert(!message.includes(folder.path), message);
    return [code!, message];
  };
  const problems = await Promise.all(["cut", "none", "gone", "large"].map(problem));
  assertEquals(problems.map(([code]) => code), [
    "load_failed",
    "load_failed",
    "load_failed",
    "model_too_large",
  ]);
  assertStringIncludes(problems[1][1], 'The model "none" could not be loaded: its file: ');
  assertMatch(
    problems[3][1],
    /needs \d+ MiB and the models of this server may use 1024 MiB.*for 16777216 tokens/,
  );
  const good = { model: "good (1)", messages: QUESTION, temperature: 0 };
  assertEquals(await textOf(server.post(CHAT, good)), ANSWER);
  const { kumi: { state, problem: why } } = await (await server.get("/v1/models/none")).json();
  // After a second it may be tried again.
  assert(state === "failed" || state === "unloaded", state);
  assertStringIncludes(why, "its file: ");
  // What was put there later is found, under whatever name.
  await Deno.copyFile(demoModelFile(), `${folder.path}/später.gguf`);
  assertEquals(await textOf(server.post(CHAT, { ...good, model: "später" })), ANSWER);
});

Deno.test("many requests at once load a model once; a server that is to end stops loading", async () => {
  const notes: string[] = [];
  await using server = await start({ models: named("a", "b"), onNote: (note) => notes.push(note) });
  const texts = await Promise.all(
    Array.from(
      { length: 40 },
      () => textOf(server.post(CHAT, { model: "b", messages: QUESTION, temperature: 0 })),
    ),
  );
  assertEquals([texts.every((text) => text === ANSWER), notes.length], [true, 1]);
  assertMatch(notes[0], /^loaded "b" in \d+\.\d s$/);
  const waiting = errorOf(server.post(CHAT, { model: "a", messages: QUESTION }), 503);
  while ((await server.states()).a === "unloaded") await new Promise((resolve) => setTimeout(resolve, 1));
  await server.server.shutdown();
  assertEquals((await waiting).code, "draining");
  await server.server.finished;
});

Deno.test("the page's feed shows the model that was chosen, if it is in memory, else the last one", async () => {
  await using server = await start({ models: named("a", "b") });
  assertEquals((await errorOf(server.get("/ui/feed"), 503)).code, "unloaded");
  for (const model of ["a", "b"]) {
    await textOf(server.post(CHAT, { model, messages: QUESTION, max_tokens: 1 }));
  }
  for (const [query, model] of [["", "b"], ["?model=a", "a"], ["?model=none", "b"]]) {
    const response = await server.get(`/ui/feed${query}`);
    const reader = response.body!.getReader();
    const parser = new SseParser();
    const [hello] = parser.push((await reader.read()).value!);
    assertEquals(JSON.parse(hello).model, model);
    await reader.cancel();
  }
});
