/** What API keys may do and how much, what they have used, as clients of a server see it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serveModels, type ServeOptions } from "../mod.ts";
import { kumi } from "./support/kumi.ts";
import { TemporaryFolder } from "./support/models.ts";
import { CHAT, ENDLESS, errorOf, QUESTION, startServer, TEXT } from "./support/server.ts";

const SHOP = "key-of-shop-1", DESK = "key-of-desk-1", ROOT = "key-of-root-1";
const apiKeys = [{ key: SHOP, name: "shop" }, { key: DESK, name: "desk" }, { key: ROOT, name: "root" }];
const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });

async function start(options: ServeOptions) {
  const server = await startServer({ apiKeys, ...options });
  return {
    server,
    keys: options.keys ?? [],
    ask: (key: string, path: string, body: unknown) => server.post(path, body, bearer(key)),
    read: async (key: string, path: string) => await (await server.get(path, bearer(key))).text(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Rows of CSV by the names of its columns. */
function rowsOf(csv: string): Record<string, string>[] {
  const [head, ...lines] = csv.trimEnd().split("\r\n").map((line) => line.split(","));
  return lines.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i]])));
}

/** The sum of a metric's samples, of those that have this in their labels. */
function sumOf(metrics: string, name: string, label = ""): number {
  return metrics.split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

Deno.test("a key over its minute gets 429 and when to come again, and others do not notice", async () => {
  const log: Record<string, unknown>[] = [];
  await using server = await start({
    keys: [{ name: "shop", requestsPerMinute: 2, tokensPerMinute: 1000 }],
    accessLog: (line) => log.push(JSON.parse(line)),
  });
  const short = { prompt: "Hi", max_tokens: 3, ignore_eos: true };
  const first = await server.ask(SHOP, TEXT, short);
  assertEquals(first.status, 200, await first.text());
  assertEquals([
    first.headers.get("x-ratelimit-limit-requests"),
    first.headers.get("x-ratelimit-remaining-requests"),
  ], [
    "2",
    "1",
  ]);
  const used = 1000 - Number(first.headers.get("x-ratelimit-remaining-tokens"));
  assert(used > 3 && used < 20, `${used}`);
  // Two at once: one is the last that it may ask.
  const [a, b] = await Promise.all(
    [1, 2].map(() => server.ask(SHOP, CHAT, { messages: QUESTION, max_tokens: 1 })),
  );
  assertEquals([a.status, b.status].sort(), [200, 429]);
  await Promise.all([a, b].map((each) => each.text()));
  const refused = await errorOf(server.ask(SHOP, TEXT, short), 429);
  assertEquals([refused.type, refused.code], ["rate_limit_error", "rate_limit_exceeded"]);
  const seconds = Number(refused.headers.get("retry-after"));
  assert(seconds >= 1 && seconds <= 61, `${seconds}`);
  assertEquals(refused.headers.get("x-ratelimit-remaining-requests"), "0");
  const { key_name, status, reason } = log.at(-1)!;
  assertEquals([key_name, status, reason], ["shop", 429, "rate_limit_exceeded"]);
  // Lists cost nothing; other keys have limits of their own, or none.
  assertStringIncludes(await server.read(SHOP, "/v1/models"), '"demo"');
  const other = await server.ask(DESK, TEXT, short);
  assertEquals(
    [other.status, other.headers.get("x-ratelimit-limit-requests")],
    [200, null],
    await other.text(),
  );
});

Deno.test("a stream goes on beyond its key's tokens, and the next request is refused", async () => {
  await using server = await start({ keys: [{ name: "*", tokensPerMinute: 20 }] });
  const long = await server.ask(SHOP, TEXT, { ...ENDLESS, max_tokens: 40, stream: true });
  assert((await long.text()).endsWith("data: [DONE]\n\n"));
  const error = await errorOf(server.ask(SHOP, TEXT, ENDLESS), 429);
  assertEquals(error.message.includes("20 tokens in any minute"), true, error.message);
  const anthropic = await server.ask(SHOP, "/v1/messages", {
    model: "demo",
    max_tokens: 1,
    messages: QUESTION,
  });
  assertEquals([anthropic.status, (await anthropic.json()).error.type], [429, "rate_limit_error"]);
});

Deno.test("what keys have used is there as CSV and in the metrics, and both add up to what the server counts", async () => {
  await using server = await start({
    keys: [{ name: "root", admin: true }, { name: "desk", requestsPerDay: 3 }],
  });
  const asks = [
    server.ask(SHOP, TEXT, { prompt: ["Hi", "Once"], max_tokens: 5, n: 2 }),
    server.ask(SHOP, CHAT, { messages: QUESTION, max_tokens: 9, stream: true, class: "batch" }),
    server.ask(DESK, CHAT, { messages: QUESTION, max_tokens: 7 }),
    server.ask(DESK, "/v1/embeddings", { input: ["a b c", "d"] }),
    server.ask(DESK, TEXT, { prompt: "Hi", max_tokens: 0 }),
    server.ask(DESK, TEXT, { prompt: "Hi", max_tokens: 1 }),
  ];
  const statuses = await Promise.all(asks.map(async (each) => {
    const response = await each;
    await response.text();
    return response.status;
  }));
  assertEquals(statuses.filter((status) => status === 429).length, 1, `${statuses}`);
  const rows = rowsOf(await server.read(ROOT, "/v1/usage"));
  const metrics = await server.read(ROOT, "/metrics");
  const sum = (column: string, key?: string) =>
    rows.filter((row) => key === undefined || row.key === key).reduce(
      (sum, row) => sum + Number(row[column]),
      0,
    );
  assertEquals([sum("requests", "shop"), sum("refused", "desk"), sum("refused")], [2, 1, 1]);
  assert(sum("prompt_tokens") > 20 && sum("completion_tokens") > 10);
  for (
    const [column, all, own] of [
      ["prompt_tokens", "vllm:prompt_tokens_total", "kumi:key_prompt_tokens_total"],
      ["cached_tokens", "kumi:cached_prompt_tokens_total", "kumi:key_cached_prompt_tokens_total"],
      ["completion_tokens", "vllm:generation_tokens_total", "kumi:key_generation_tokens_total"],
    ]
  ) {
    assertEquals(sum(column), sumOf(metrics, all), column);
    for (const key of ["shop", "desk"]) {
      assertEquals(sum(column, key), sumOf(metrics, own, `key="${key}"`), column);
    }
  }
  assertEquals(sum("refused"), sumOf(metrics, "kumi:requests_refused_total", 'reason="rate_limit_exceeded"'));
  assertEquals(sumOf(metrics, "kumi:key_limit_used_ratio", 'limit="requests_per_day"'), 1);
  // Who is no administrator sees what is its own.
  const own = rowsOf(await server.read(DESK, "/v1/usage"));
  assertEquals(own, rows.filter(({ key }) => key === "desk"));
  const keysIn = (text: string) => new Set(text.matchAll(/\bkey="([^"]+)"/g).map(([, name]) => name));
  const ownMetrics = await server.read(DESK, "/metrics");
  assertEquals([keysIn(ownMetrics), keysIn(metrics)], [new Set(["desk"]), new Set(["shop", "desk"])]);
  const seen = (text: string) => text.split("\n").filter((line) => line.includes('key="desk"'));
  assertEquals(seen(ownMetrics), seen(metrics));
  assertEquals(
    new Set(rows.map(({ class: name, model }) => name === "" || model === "demo")),
    new Set([true]),
  );
  // Who collects metrics need be no administrator.
  const { keys } = server;
  server.server.server.update({ keys: [...keys, { name: "shop", usage: true }] });
  assertEquals(keysIn(await server.read(SHOP, "/metrics")), keysIn(metrics));
  assertEquals(await server.read(SHOP, "/v1/usage"), await server.read(ROOT, "/v1/usage"));
  await errorOf(server.ask(SHOP, "/admin/drain", {}), 403);
  const run = await kumi(["usage", "--url", server.server.url], "", { KUMI_API_KEY: ROOT });
  assertEquals(
    run.stdout.trimEnd().replaceAll("\n", "\r\n"),
    (await server.read(ROOT, "/v1/usage")).trimEnd(),
    run.stderr,
  );
  for (const key of [SHOP, DESK, ROOT]) assert(!metrics.includes(key) && !run.stdout.includes(key));
});

Deno.test("a key without the class of batches begins none", async () => {
  using folder = new TemporaryFolder();
  await using server = await start({
    keys: [{ name: "shop", classes: ["interactive"] }],
    batches: { dir: folder.path },
  });
  const body = { input_file_id: "file-x", endpoint: CHAT, completion_window: "24h" };
  assertEquals((await errorOf(server.ask(SHOP, "/v1/batches", body), 403)).code, "class_not_allowed");
  await errorOf(server.ask(DESK, "/v1/batches", body), 404);
});

Deno.test("a key asks the models and classes that it may, and sees no others", async () => {
  await using server = serveModels({
    port: 0,
    threads: 1,
    canaryMs: 0,
    models: ["small", "large"].map((name) => ({
      name,
      model: "demo",
      kvTokens: 1024,
      aliases: [`${name}-too`],
    })),
    apiKeys,
    keys: [{ name: "shop", models: ["small-too"], classes: ["batch"] }],
  });
  const ask = (key: string, body: object) =>
    fetch(server.url + CHAT, {
      method: "POST",
      body: JSON.stringify({ messages: QUESTION, max_tokens: 1, ...body }),
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    });
  const large = await errorOf(ask(SHOP, { model: "large" }), 403);
  assertEquals([large.code, large.param, large.type], ["model_not_allowed", "model", "permission_error"]);
  const urgent = await errorOf(ask(SHOP, { model: "small", class: "interactive" }), 403);
  assertEquals([urgent.code, urgent.param], ["class_not_allowed", "class"]);
  const list = async (key: string, path: string, field: string, name: string) => {
    const value = await (await fetch(server.url + path, bearer(key))).json();
    return value[field].map((each: Record<string, unknown>) => each[name]);
  };
  // Nothing was loaded for who may not ask it.
  const metrics = await (await fetch(`${server.url}/metrics`, bearer(DESK))).text();
  assertEquals(sumOf(metrics, "kumi:model_loads_total"), 0);
  assertEquals(await list(SHOP, "/v1/models", "data", "id"), ["small"]);
  assertEquals(await list(DESK, "/v1/models", "data", "id"), ["small", "large"]);
  const [small] = (await (await fetch(`${server.url}/v1/models`, bearer(SHOP))).json()).data;
  assertEquals([small.kumi.classes, small.kumi.default_class], [["batch"], "batch"]);
  assertEquals((await list(SHOP, "/api/tags", "models", "name")).length, 1);
  await errorOf(fetch(`${server.url}/v1/models/large`, bearer(SHOP)), 403);
  // Its requests have its first class where they name none.
  const answered = await ask(SHOP, { model: "small" });
  assertEquals(answered.status, 200, await answered.text());
  const csv = await (await fetch(`${server.url}/v1/usage`, bearer(SHOP))).text();
  assertMatch(csv, /\r\n\d{4}-\d\d-\d\d,shop,small,batch,1,0,\d+,0,1\r\n$/);
});
