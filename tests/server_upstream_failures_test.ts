/** What happens when a server fails that others' requests are passed to. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { fakeUpstream } from "./support/fake_upstream.ts";
import { placeOf, PROMPT, QUESTION, routedServer, streamed, withUpstream } from "./support/routed_server.ts";
import { CHAT, errorOf, TEXT } from "./support/server.ts";
import { waitUntil } from "./support/waiting.ts";

Deno.test("what an upstream does not answer is answered here, as long as nothing was sent", async () => {
  const failures: Record<string, () => Response | Promise<Response>> = {
    "500": () => new Response("oops", { status: 500 }),
    "429": () => new Response("{}", { status: 429, headers: { "retry-after": "7" } }),
    "404": () => Response.json({ error: { message: "no such model" } }, { status: 404 }),
    "401": () => Response.json({ error: { message: "bad key sk-upstream-key" } }, { status: 401 }),
    redirect: () => new Response(null, { status: 307, headers: { location: "http://127.0.0.1:1/" } }),
    "no JSON": () => new Response("<html>"),
    "no answer": () => Response.json({ hello: 1 }),
    "no object": () => Response.json(null),
    "a list": () => Response.json([1]),
  };
  for (const [name, response] of Object.entries(failures)) {
    for (const stream of [false, true]) {
      await using both = await withUpstream({ response }, { upstream: { key: "sk-upstream-key" } });
      const { server, there } = both;
      const answer = await server.ask(TEXT, { ...PROMPT, stream });
      const text = stream ? await streamed(answer) : (await answer.json()).choices[0].text;
      assertMatch(text, /^Hello from here/, `${name}, stream ${stream}`);
      assertEquals(there.seen.length, 1);
      await waitUntil(() => server.log.length === 1);
      const { place, place_reason, failed_places } = server.log[0];
      assertEquals([place, place_reason, failed_places], ["here", "retry", ["gpu"]]);
      assertEquals(server.heard.filter(([name]) => name === "refused"), []);
    }
  }
});

Deno.test("a stream that fails before its first token is answered here, and one that fails later says so", async () => {
  for (const [of, isSlow] of [[{ breaksAfter: 0 }, false], [{ stallsAfter: 0 }, true]] as const) {
    await using both = await withUpstream(of, { upstream: isSlow ? { firstTokenMs: 250 } : {} });
    assertEquals(
      await streamed(await both.server.ask(TEXT, { ...PROMPT, stream: true })),
      "Hello from here[DONE]",
    );
  }
  for (const [of, isSlow] of [[{ breaksAfter: 2 }, false], [{ stallsAfter: 2 }, true]] as const) {
    await using both = await withUpstream(of, { upstream: isSlow ? { stalledMs: 250 } : {} });
    const { server } = both;
    const text = await streamed(await server.ask(TEXT, { ...PROMPT, stream: true }));
    assertEquals(text, "Hello from!upstream_failed");
    await waitUntil(() => server.log.length === 1);
    assertEquals([server.log[0].status, server.log[0].reason], [502, "error"]);
    assert((server.log[0].completion_tokens as number) >= 2, "what has passed is counted");
    assertEquals(server.here.asked.length, 0, "nobody says the beginning again");
  }
});

Deno.test("an error within a stream counts as the upstream's failure", async () => {
  const event = `data: {"error":{"message":"out of memory"}}\n\n`;
  const response = () => new Response(event, { headers: { "content-type": "text/event-stream" } });
  await using both = await withUpstream({ response });
  assertEquals(
    await streamed(await both.server.ask(TEXT, { ...PROMPT, stream: true })),
    "Hello from here[DONE]",
  );
});

Deno.test("a request that is wrong is so everywhere: nobody else is asked", async () => {
  const response = () =>
    Response.json({ error: { message: "max_tokens is too large", code: "too_large", param: "max_tokens" } }, {
      status: 400,
    });
  await using both = await withUpstream({ response });
  const error = await errorOf(both.server.ask(TEXT, PROMPT), 400);
  assertEquals([error.message, error.code], ["max_tokens is too large", "too_large"]);
  assertEquals(both.server.here.asked.length, 0);
  // Nor is an upstream asked what no server could answer.
  await errorOf(both.server.ask(TEXT, { ...PROMPT, temperature: -1 }), 400);
  assertEquals(both.there.seen.length, 1);
});

Deno.test("an upstream that fails again and again is left alone, and one that is full for as long as it says", async () => {
  await using both = await withUpstream({ response: () => new Response(null, { status: 500 }) });
  const { server, there } = both;
  for (let i = 0; i < 6; i++) await (await server.ask(TEXT, PROMPT)).text();
  assertEquals([there.seen.length, server.here.asked.length], [3, 6]);
  assertEquals(server.log.at(-1)!.place_reason, "down");
  const large = await errorOf(server.ask(CHAT, { ...QUESTION, model: "large" }), 503);
  assertEquals(large.code, "upstream_down");
  const refused = server.log.at(-1)!;
  assertEquals([refused.place, refused.place_reason, refused.data], [null, "down", "internal"]);
  assert(Number(large.headers.get("retry-after")) >= 1);
  const busy = () => new Response(null, { status: 429, headers: { "retry-after": "60" } });
  await using full = await withUpstream({ response: busy });
  for (let i = 0; i < 3; i++) await (await full.server.ask(TEXT, PROMPT)).text();
  assertEquals([full.there.seen.length, full.server.here.asked.length], [1, 3]);
});

Deno.test("where nobody else can answer, a client is told what it needs, and no more", async () => {
  const key = "sk-upstream-key";
  const response = () => Response.json({ error: { message: `bad key ${key}` } }, { status: 401 });
  await using both = await withUpstream({ response }, { upstream: { key } });
  const { server, there } = both;
  const large = { ...QUESTION, model: "large" };
  const error = await errorOf(server.ask(CHAT, large), 502);
  assertEquals([error.code, error.message], [
    "upstream_failed",
    "The server that answers this request failed",
  ]);
  there.behaviour.response = () => Response.json({ error: { message: `what is ${key}?` } }, { status: 400 });
  assertEquals((await errorOf(server.ask(CHAT, large), 400)).message, "what is …?");
  there.behaviour.response = () => new Response(null, { status: 429, headers: { "retry-after": "7" } });
  const full = await errorOf(server.ask(CHAT, large), 429);
  assertEquals([full.code, full.headers.get("retry-after")], ["upstream_full", "7"]);
  assertEquals(server.heard.filter(([name]) => name === "refused").length, 3);
});

Deno.test("an upstream that nobody listens at is passed over", async () => {
  await using server = await routedServer({
    upstreams: [placeOf({ url: "http://127.0.0.1:1/v1" } as never)],
    way: "there",
  });
  assertEquals((await (await server.ask(TEXT, PROMPT)).json()).choices[0].text, "Hello from here");
});

Deno.test("an upstream's health is looked at, and what it says there ends no request", async () => {
  await using there = fakeUpstream({ isWell: false });
  await using server = await routedServer({ upstreams: [placeOf(there, { healthMs: 5 })], way: "there" });
  const route = async () => {
    await (await server.ask(TEXT, PROMPT)).text();
    return server.log.at(-1)!.place;
  };
  for (let i = 0; i < 100 && await route() !== "here"; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(await route(), "here");
  there.behaviour.isWell = true;
  for (let i = 0; i < 100 && await route() !== "gpu"; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(await route(), "gpu");
});
