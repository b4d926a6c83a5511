/** The page as the server gives it: keys, policy, tags, the feed; and whether its assets are up to date. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { negotiatedDocuments } from "../src/cli/documents.ts";
import { assetsModule } from "../src/setup/page/build.ts";
import { PageError } from "../src/setup/page/packages.ts";
import type { FeedFrame, FeedHello } from "../src/ui/feed.ts";
import { ASSETS } from "../src/ui/assets.ts";
import { SseParser } from "../src/loadtest/sse.ts";
import { startServer } from "./support/server.ts";

const HTML = { headers: { accept: "text/html,*/*" } };

Deno.test("shells and assets need no key, data does; nothing in them is inline", async () => {
  await using server = await startServer({ apiKeys: ["right-key-1"] });
  for (const path of ["/", "/ui/machine", "/ui/compare", "/ui/docs"]) {
    const response = await server.get(path, HTML);
    const text = await response.text();
    assertEquals(
      [response.status, response.headers.get("content-type")],
      [200, "text/html; charset=utf-8"],
      path,
    );
    assert(!/<style|<script>|style=|\son\w+=/.test(text), path);
    const policy = response.headers.get("content-security-policy")!;
    assertMatch(policy, /default-src 'none'.*script-src 'self'.*require-trusted-types-for 'script'/);
    assert(!/unsafe|\*|https?:/.test(policy), policy);
  }
  for (const path of ["/ui/feed", "/v1/models", "/openapi.json", "/metrics"]) {
    const response = await server.get(path, HTML);
    assertEquals(response.status, 401, path);
    await response.body?.cancel();
  }
  // Browsers send no key by themselves: what they are shown instead asks for it.
  const leads = [["/docs", "/ui/docs"], ["/docs/", "/ui/docs"], ["/ui", "/"], ["/ui/", "/"]];
  for (const [path, to] of [...leads, ["/favicon.ico", "/ui/assets/icon.svg"]]) {
    const { status, headers, body } = await server.get(path, { ...HTML, redirect: "manual" });
    assertEquals([status, headers.get("location")], [302, to], path);
    await body?.cancel();
  }
  const withKey = { headers: { ...HTML.headers, "x-api-key": "right-key-1" } };
  assertMatch(await (await server.get("/docs", withKey)).text(), /<title>/);
  const program = await server.get("/docs");
  assertEquals([program.status, (await program.json()).error.code], [401, "missing_api_key"]);
  // Who is no browser is told what this is.
  assertEquals((await (await server.get("/")).json()).name, "kumi");
});

Deno.test("assets are sent compressed, once, with tags", async () => {
  await using server = await startServer({ documents: negotiatedDocuments() });
  let bytes = 0;
  for (const [name, text] of Object.entries(ASSETS)) {
    const response = await server.get(`/ui/assets/${name}`);
    assertEquals(await response.text(), text, name);
    const etag = response.headers.get("etag")!;
    const again = await server.get(`/ui/assets/${name}`, { headers: { "if-none-match": etag } });
    assertEquals([again.status, await again.text()], [304, ""], name);
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    bytes += (await new Response(stream).arrayBuffer()).byteLength;
  }
  assert(bytes < 250_000, `${bytes} bytes`);
  const missing = await server.get("/ui/assets/none.js");
  assertEquals(missing.status, 404);
  await missing.body?.cancel();
});

Deno.test("without the page there is none, and the documents stand alone", async () => {
  await using server = await startServer({ page: false });
  for (const path of ["/ui/machine", "/ui/feed", "/ui/assets/main.js"]) {
    const response = await server.get(path, HTML);
    assertEquals(response.status, 404, path);
    await response.body?.cancel();
  }
  assertEquals((await (await server.get("/", HTML)).json()).name, "kumi");
  const docs = await server.get("/docs");
  assert(!/\/ui\/|<script/.test(await docs.text()));
  assert(!docs.headers.get("content-security-policy")!.includes("unsafe"));
});

Deno.test("the feed says hello, then a frame a second with what /metrics says", async () => {
  await using server = await startServer();
  const answer = await server.post("/v1/completions", { prompt: "Once", max_tokens: 5, ignore_eos: true });
  await answer.body?.cancel();
  const response = await server.get("/ui/feed");
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.getReader();
  const parser = new SseParser();
  const events: string[] = [];
  while (events.length < 3) events.push(...parser.push((await reader.read()).value!));
  await reader.cancel();
  const [hello, ...frames] = events.map((each) => JSON.parse(each)) as [FeedHello, ...FeedFrame[]];
  assertEquals([hello.type, hello.classes.map(({ name }) => name)], ["hello", ["interactive", "batch"]]);
  const { classes, workers: [{ engine }], ready } = frames.at(-1)!;
  const metrics = await (await server.get("/metrics")).text();
  const generated = /vllm:generation_tokens_total\{.*class="interactive"\} (\d+)/.exec(metrics)![1];
  assertEquals([ready, classes[0].generatedTokens, classes[0].running], [true, Number(generated), 0]);
  assertEquals(classes[0].ttft.length, hello.ttftBounds.length + 1);
  const blocks = engine!.kv.stretches.reduce((sum, each) => sum + each.blocks, 0);
  const { workers: [{ kv }] } = await server.model.stats();
  assertEquals(blocks, kv.blocks.total);
});

Deno.test("src/ui/assets.ts is what deno task page makes of src/ui/page", async () => {
  try {
    assert(
      await assetsModule() === await Deno.readTextFile(new URL("../src/ui/assets.ts", import.meta.url)),
      "src/ui/assets.ts is out of date: deno task page writes it",
    );
  } catch (error) {
    if (!(error instanceof PageError) || /bundled/.test(error.message)) throw error;
    console.log(`skipped: ${error.message}`);
  }
});
