/** Several models in one server, and another server beside them. */

import { assert, assertEquals } from "@std/assert";
import { serveModels } from "../mod.ts";
import { fakeUpstream } from "./support/fake_upstream.ts";
import { placeOf } from "./support/routed_server.ts";
import { ANSWER, CHAT, errorOf, QUESTION } from "./support/server.ts";

const MIB = 2 ** 20;
const THERE = "Hello from there";

Deno.test("each of several models is routed by its name, loaded where it is asked for, and elsewhere without room", async () => {
  await using there = fakeUpstream();
  const log: Record<string, unknown>[] = [];
  const models = [{ name: "a", model: "demo", kvTokens: 1024, aliases: ["also-a"] }, {
    name: "b",
    model: "demo",
    kvTokens: 2 ** 22,
  }, { name: "own", model: "demo", kvTokens: 1024 }];
  const upstream = placeOf(there, { models: ["a", "also-a", "b", "only-there"].map((name) => ({ name })) });
  await using server = serveModels({
    ...{ models, port: 0, threads: 1, canaryMs: 0, memoryBytes: 300 * MIB, page: false },
    routing: { upstreams: [upstream] },
    accessLog: (line) => log.push(JSON.parse(line)),
  });
  const post = (body: object) =>
    fetch(server.url + CHAT, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: QUESTION, temperature: 0, ...body }),
    });
  const ask = async (body: object) => (await (await post(body)).json()).choices[0].message.content;
  // Not in memory: who asks for it has it loaded. The last has no room for its KV cache.
  assertEquals(await ask({ model: "a" }), ANSWER);
  assertEquals(await ask({ model: "also-a" }), ANSWER);
  assertEquals(await ask({ model: "only-there" }), THERE);
  assertEquals(await ask({ model: "own" }), ANSWER);
  assertEquals(await ask({ model: "b" }), THERE);
  const wrong = { model: "b", messages: QUESTION, kumi: { data: "private" } };
  assertEquals((await errorOf(post(wrong), 503)).code, "model_too_large");
  assertEquals((await errorOf(post({ model: "none" }), 404)).code, "model_not_found");
  assertEquals(log.map(({ place, place_reason }) => `${place}: ${place_reason}`), [
    "here: soon",
    "here: soon",
    "gpu: only-there",
    "here: only-here",
    "gpu: retry",
    "here: data",
    "here: only-here",
  ]);
  assertEquals(there.seen.map(({ body }) => body.model), ["only-there", "b"]);
  const listed = await (await fetch(`${server.url}/v1/models`)).json();
  assertEquals(listed.data.map(({ id }: { id: string }) => id), ["a", "b", "own", "also-a", "only-there"]);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert(/^kumi:route_requests_total\{route="gpu",reason="retry",class="interactive"\} 1$/m.test(metrics));
  assert(metrics.includes('vllm:request_success_total{class="interactive",finished_reason="stop"} 2'));
});
