/** What an administrator does to a running server, and who may not. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { serve, serveModels, type ServeOptions } from "../mod.ts";
import { ANSWER, CHAT, ENDLESS, errorOf, QUESTION, TEXT } from "./support/server.ts";

const ROOT = "key-of-root-1", SHOP = "key-of-shop-1";
const KEYS = {
  apiKeys: [{ key: ROOT, name: "root" }, { key: SHOP, name: "shop" }],
  keys: [{ name: "root", admin: true }],
} satisfies ServeOptions;
const COMMON = { port: 0, threads: 1, canaryMs: 0 };

/** Asks with a key. */
function asker(url: string) {
  return (key: string | null, path: string, body?: unknown) =>
    fetch(url + path, {
      ...body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
      headers: {
        ...key === null ? {} : { authorization: `Bearer ${key}` },
        ...body === undefined ? {} : { "content-type": "application/json" },
      },
    });
}

async function json(pending: Promise<Response>) {
  const response = await pending;
  const text = await response.text();
  assertEquals(response.status, 200, text);
  return JSON.parse(text);
}

Deno.test("models are loaded and unloaded by an administrator's key, and stay as it says", async () => {
  const models = ["a", "b"].map((name) => ({
    name,
    model: "demo",
    kvTokens: 1024,
    aliases: [`${name}-too`],
  }));
  await using server = serveModels({ ...COMMON, ...KEYS, models });
  const ask = asker(server.url);
  const state = async (name: string) => (await json(ask(SHOP, `/v1/models/${name}`))).kumi;
  assertEquals(await json(ask(ROOT, "/admin/load", { model: "b-too" })), { model: "b", state: "ready" });
  assertEquals((await state("b")).state, "ready");
  for (const path of ["load", "unload"]) {
    const { code } = await errorOf(ask(SHOP, `/admin/${path}`, { model: "b" }), 403);
    assertEquals(code, "admin_only");
  }
  await errorOf(ask(null, "/admin/unload", { model: "b" }), 401);
  const ollama = (key: string, body: object) =>
    ask(key, "/api/generate", { model: "b", stream: false, ...body });
  const refused = await ollama(SHOP, { keep_alive: 0 });
  assertEquals(refused.status, 403, await refused.text());
  // Its wish does not count, and its request is answered.
  assertEquals(
    (await json(ollama(SHOP, { prompt: "Hi", keep_alive: 60, options: { num_predict: 1 } }))).done,
    true,
  );
  assertEquals((await state("b")).expires_at, null);
  await json(ollama(ROOT, { prompt: "Hi", keep_alive: 60, options: { num_predict: 1 } }));
  assert((await state("b")).expires_at !== null);
  const unloaded = await json(ask(ROOT, "/admin/unload", { model: "b" }));
  assert(["unloading", "unloaded"].includes(unloaded.state), unloaded.state);
  assertEquals((await errorOf(ask(ROOT, "/admin/load", { model: "c" }), 404)).code, "model_not_found");
});

Deno.test("a server drains and resumes as its administrator says; what is under way goes on", async () => {
  await using server = serve({ ...COMMON, ...KEYS });
  await server.ready;
  const ask = asker(server.url);
  const running = await ask(SHOP, TEXT, { ...ENDLESS, max_tokens: 200, stream: true });
  await errorOf(ask(SHOP, "/admin/drain", {}), 403);
  const drained = await json(ask(ROOT, "/admin/drain", {}));
  assertEquals(drained.state, "draining");
  assert(drained.running <= 1);
  const refused = await errorOf(ask(SHOP, CHAT, { messages: QUESTION }), 503);
  assertEquals([refused.code, refused.headers.get("retry-after")], ["draining", "5"]);
  assertEquals((await errorOf(ask(null, "/readyz"), 503)).code, "draining");
  assert((await running.text()).endsWith("data: [DONE]\n\n"));
  assertEquals(await json(ask(ROOT, "/admin/drain", {})), { state: "draining", running: 0 });
  assertEquals(await json(ask(ROOT, "/admin/resume", {})), { state: "ready", running: 0 });
  assertEquals((await json(ask(null, "/readyz"))).ready, true);
  const { choices } = await json(ask(SHOP, CHAT, { messages: QUESTION, temperature: 0 }));
  assertEquals(choices[0].message.content, ANSWER);
  assertEquals((await errorOf(ask(ROOT, "/admin/unload", {}), 400)).code, "model_stays");
  // Nobody told this one what to read.
  await errorOf(ask(ROOT, "/admin/reload", {}), 404);
  await errorOf(ask(SHOP, "/admin/shutdown", {}), 403);
  assertEquals(await json(ask(ROOT, "/admin/shutdown", {})), { state: "draining" });
  await server.finished;
  await assertRejects(() => fetch(`${server.url}/livez`));
});

Deno.test("without keys models may leave, and nobody drains or ends the server over HTTP", async () => {
  await using server = serveModels({ ...COMMON, models: [{ name: "a", model: "demo", kvTokens: 1024 }] });
  const ask = asker(server.url);
  assertEquals(await json(ask(null, "/admin/load", {})), { model: "a", state: "ready" });
  await json(ask(null, "/admin/unload", { model: "a" }));
  for (const path of ["drain", "resume", "shutdown"]) {
    assertEquals((await errorOf(ask(null, `/admin/${path}`, {}), 403)).code, "admin_only");
  }
});

Deno.test("KumiServer.update() changes keys, pages and limits while it answers, all or nothing", async () => {
  await using server = serve({ ...COMMON, ...KEYS, cors: ["https://a.example"] });
  await server.ready;
  const ask = asker(server.url);
  const long = await ask(SHOP, TEXT, { ...ENDLESS, max_tokens: 100, stream: true });
  const page = async (origin: string) => {
    const response = await fetch(`${server.url}/v1/models`, {
      headers: { authorization: `Bearer ${ROOT}`, origin },
    });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await page("https://a.example"), 200);
  const next = "key-of-desk-1";
  server.update({
    apiKeys: [{ key: ROOT, name: "root" }, { key: next, name: "desk" }],
    keys: [{ name: "desk", requestsPerMinute: 1 }],
    cors: ["https://b.example"],
    bodyLimits: { bytesMax: 100 },
  });
  assert((await long.text()).endsWith("data: [DONE]\n\n"));
  await errorOf(ask(SHOP, "/v1/models"), 401);
  assertEquals([await page("https://a.example"), await page("https://b.example")], [
    403,
    200,
  ]);
  const short = { prompt: "Hi", max_tokens: 1 };
  await json(ask(next, TEXT, short));
  await errorOf(ask(next, TEXT, short), 429);
  await errorOf(ask(ROOT, TEXT, { prompt: "x".repeat(200) }), 413);
  assertThrows(() => server.update({ apiKeys: [], keys: [], cors: [] }), RangeError, "open to all");
  assertThrows(() => server.update({ drainSeconds: -1 }), RangeError, "current value is -1");
  assertThrows(() => server.update({ port: 1 } as object), TypeError, '"port"');
  assertEquals(await page("https://b.example"), 200);
});
