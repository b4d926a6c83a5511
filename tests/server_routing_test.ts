/** Requests that other servers answer: where they go, what passes, and what is counted. */

import { assert, assertEquals } from "@std/assert";
import { fakeUpstream } from "./support/fake_upstream.ts";
import { placeOf, PROMPT, QUESTION, routedServer, streamed, withUpstream } from "./support/routed_server.ts";
import { CHAT, errorOf, eventsOf, TEXT } from "./support/server.ts";
import { readUntil, waitUntil } from "./support/waiting.ts";

Deno.test("a request that belongs elsewhere is passed on as it is, with the upstream's name of the model and its key", async () => {
  await using both = await withUpstream({}, { upstream: { key: "sk-upstream-key" } });
  const { server, there } = both;
  const answer = await (await server.ask(CHAT, {
    ...QUESTION,
    temperature: 0.5,
    class: "interactive",
    priority: 1,
    kumi: { data: "public" },
  }, { headers: { authorization: "Bearer client-key", cookie: "a=b", "x-forwarded-for": "1.2.3.4" } }))
    .json();
  assertEquals(answer.choices[0].message.content, "Hello from there");
  const [{ path, headers, body }] = there.seen;
  assertEquals(path, "/v1/chat/completions");
  assertEquals(body, { model: "org/m", messages: QUESTION.messages, temperature: 0.5 });
  assertEquals(headers.get("authorization"), "Bearer sk-upstream-key");
  assertEquals(["cookie", "x-forwarded-for", "x-kumi-data"].map((name) => headers.get(name)), [
    null,
    null,
    null,
  ]);
  assertEquals(server.here.asked.length, 0);
  const [line] = server.log;
  assertEquals(
    [
      line.route,
      line.place,
      line.place_reason,
      line.data,
      line.status,
      line.prompt_tokens,
      line.completion_tokens,
    ],
    ["/v1/chat/completions", "gpu", "rule", "public", 200, 5, 3],
  );
  assert(!JSON.stringify(server.log).includes("sk-upstream-key"));
});

Deno.test("streams pass event by event, and the usage is kept from those who have not asked for it", async () => {
  await using both = await withUpstream();
  const { server, there } = both;
  const text = async (body: object) =>
    await streamed(await server.ask(CHAT, { ...QUESTION, stream: true, ...body }));
  assertEquals(await text({}), "Hello from there[DONE]");
  assertEquals(there.seen[0].body.stream_options, { include_usage: true });
  const events = await eventsOf(
    await server.ask(CHAT, { ...QUESTION, stream: true, stream_options: { include_usage: true } }),
  ) as Record<string, unknown>[];
  assertEquals(events.at(-2)!.usage, there.behaviour.usage);
  assertEquals(await streamed(await server.ask(TEXT, { ...PROMPT, stream: true })), "Hello from there[DONE]");
  there.behaviour.hasDone = false;
  assertEquals(await text({}), "Hello from there[DONE]");
  there.behaviour.comment = ": hold on\r\n\r\nid: 3\r\n";
  assertEquals(await text({}), "Hello from there[DONE]");
  await waitUntil(() => server.log.length === 5);
  assertEquals(server.log.map(({ status, reason }) => [status, reason]), new Array(5).fill([200, "stop"]));
  assertEquals(server.heard.filter(([name]) => name === "firstToken").length, 5);
});

Deno.test("a stream is passed on while it comes: its first token is there before its end", async () => {
  await using both = await withUpstream({ stallsAfter: 1 });
  const { server, there } = both;
  const response = await server.ask(CHAT, { ...QUESTION, stream: true });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await readUntil(reader, "Hello");
  assertEquals(there.left, 0);
  await reader.cancel();
  await waitUntil(() => there.left === 1);
  await waitUntil(() => server.log.length === 1);
  assertEquals([server.log[0].status, server.log[0].reason], [499, "abort"]);
});

Deno.test("labels change with the keys, and a request keeps the label of its key that has gone meanwhile", async () => {
  const [finance, other] = ["finance-key-1", "other-key-12"];
  await using both = await withUpstream({}, { keyData: [{ key: finance, data: "private" }] }, {
    apiKeys: [finance, other],
  });
  const { server, there } = both;
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const auth = (key: string) => ({
    authorization: `Bearer ${key}`,
    host: "127.0.0.1",
    "content-type": "application/json",
  });
  const slow = server.handler(
    new Request(`http://127.0.0.1${TEXT}`, { method: "POST", body: readable, headers: auth(finance) }),
  );
  server.handler.update({ apiKeys: [other], keyData: [{ key: other, data: "private" }] });
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(PROMPT)));
  await writer.close();
  await (await slow).text();
  const ask = async () => await (await server.ask(TEXT, PROMPT, { headers: auth(other) })).text();
  await ask();
  assertEquals([there.seen.length, server.here.asked.length], [0, 2]);
  await errorOf(server.ask(TEXT, PROMPT, { headers: auth(finance) }), 401);
  server.handler.update({ keyData: [] });
  await ask();
  assertEquals([there.seen.length, server.here.asked.length], [1, 2]);
});

Deno.test("a request marked private never leaves, whoever says so", async () => {
  await using both = await withUpstream({}, { keyData: [{ key: "finance-key-1", data: "private" }] }, {
    apiKeys: ["finance-key-1", "other-key-12"],
  });
  const { server, there } = both;
  const auth = (key: string) => ({ authorization: `Bearer ${key}` });
  const send = (body: object, headers: Record<string, string>) =>
    server.ask(TEXT, { ...PROMPT, ...body }, { headers });
  const others = auth("other-key-12"), finance = auth("finance-key-1");
  const marked = [
    [{ kumi: { data: "private" } }, others],
    [{ extra_body: { kumi: { data: "private" } } }, others],
    [{}, { ...others, "x-kumi-data": "private" }],
    [{}, { ...others, "x-kumi-data": " Private" }],
    [{ kumi: { data: "public" } }, { ...others, "x-kumi-data": "private" }],
    [{}, finance],
    [{ kumi: { data: "public" } }, finance],
    [{ stream: true }, finance],
  ] as const;
  for (const [body, headers] of marked) await (await send(body, headers)).text();
  assertEquals([there.seen.length, server.here.asked.length], [0, marked.length]);
  // Not even when the model here fails, or where the model is only there.
  server.here.error = new Error("broken");
  await (await send({}, finance)).text();
  const large = { ...QUESTION, model: "large", kumi: { data: "private" } };
  assertEquals((await errorOf(server.ask(CHAT, large, { headers: others }), 403)).code, "data_label");
  const refused = server.log.at(-1)!;
  assertEquals([refused.place, refused.place_reason, refused.data], [null, "data", "private"]);
  for (const path of ["/v1/responses", "/v1/messages", "/api/chat", "/v1/embeddings"]) {
    const body = {
      model: "large",
      max_tokens: 5,
      input: "a",
      messages: QUESTION.messages,
      kumi: { data: "private" },
    };
    await (await server.ask(path, body, { headers: others })).text();
  }
  assertEquals(there.seen.length, 0);
  // A label that is none is refused rather than passed over, whatever else the request is.
  for (const model of ["m", "large"]) {
    const typo = { ...QUESTION, model, kumi: { data: "privat" } };
    assertEquals((await errorOf(server.ask(CHAT, typo, { headers: others }), 400)).param, "kumi.data");
    const header = { ...others, "x-kumi-data": "secret" };
    assertEquals(
      (await errorOf(server.ask(CHAT, { ...QUESTION, model }, { headers: header }), 400)).param,
      "x-kumi-data",
    );
  }
  await (await send({}, others)).text();
  assertEquals(there.seen.length, 1);
});

Deno.test("data goes only where it is trusted", async () => {
  await using cloud = fakeUpstream();
  await using own = fakeUpstream();
  const upstreams = [
    placeOf(cloud, { name: "cloud", data: "public" }),
    placeOf(own, { name: "own", price: { promptPerMillion: 9, answerPerMillion: 9 } }),
  ];
  await using server = await routedServer({ upstreams, way: "there", data: "internal" });
  await (await server.ask(CHAT, QUESTION)).text();
  await (await server.ask(CHAT, { ...QUESTION, kumi: { data: "public" } })).text();
  assertEquals([cloud.seen.length, own.seen.length], [1, 1]);
});

Deno.test("requests go elsewhere when it takes too long here, or would be refused", async () => {
  await using both = await withUpstream({}, { way: "overflow", holdMs: 0 });
  const { server, there } = both;
  const ask = async () => (await (await server.ask(TEXT, PROMPT)).json()).choices[0].text;
  assertEquals(await ask(), "Hello from here");
  server.here.outlook = () => ({ refuses: false, ttftMs: 9000 });
  assertEquals(await ask(), "Hello from there");
  server.here.outlook = () => ({ refuses: false, ttftMs: 10 });
  assertEquals(await ask(), "Hello from here");
  server.here.outlook = () => ({ refuses: true });
  assertEquals(await ask(), "Hello from there");
  await (await server.ask(TEXT, { ...PROMPT, kumi: { receipt: true } })).text();
  await (await server.ask(TEXT, { ...PROMPT, logit_bias: { 5: 1 } })).text();
  assertEquals(server.log.map(({ place, place_reason }) => `${place}: ${place_reason}`), [
    "here: soon",
    "gpu: late",
    "here: soon",
    "gpu: closed",
    "here: bound",
    "here: bound",
  ]);
  assertEquals(there.seen.length, 2);
});

Deno.test("what passes is counted, whatever an upstream says of it", async () => {
  const words = Array.from({ length: 40 }, (_, i) => ` word${i}`);
  const price = { promptPerMillion: 1e6, answerPerMillion: 1e6 };
  const used = async (usage: Record<string, unknown> | null, stream: boolean) => {
    await using both = await withUpstream({ words, usage }, { upstream: { price } });
    const { server } = both;
    await (await server.ask(TEXT, { ...PROMPT, stream })).text();
    await waitUntil(() => server.log.length === 1);
    const { prompt_tokens, completion_tokens, cost, told_tokens, counted_tokens } = server.log[0];
    return { prompt_tokens, completion_tokens, cost, told_tokens, counted_tokens } as Record<string, number>;
  };
  const usage = (prompt_tokens: unknown, completion_tokens: unknown) => ({
    prompt_tokens,
    completion_tokens,
  });
  for (const stream of [false, true]) {
    // Near enough to what was counted: what the upstream says counts.
    const right = await used(usage(6, 80), stream);
    assertEquals([right.prompt_tokens, right.completion_tokens, right.cost, right.told_tokens], [
      6,
      80,
      86,
      undefined,
    ]);
    for (const lie of [usage(6, 1e6), usage(6, 0), usage(1e9, 80)]) {
      const { prompt_tokens, completion_tokens, told_tokens, counted_tokens, cost } = await used(lie, stream);
      assert(
        prompt_tokens < 20 && completion_tokens >= 40 && completion_tokens < 120,
        `${prompt_tokens} ${completion_tokens}`,
      );
      assertEquals([told_tokens, counted_tokens, cost], [
        lie.prompt_tokens as number + (lie.completion_tokens as number),
        prompt_tokens + completion_tokens,
        prompt_tokens + completion_tokens,
      ]);
    }
    for (const none of [null, usage("many", {}), usage(-1, -1), { prompt_tokens: NaN }]) {
      assert((await used(none, stream)).completion_tokens >= 40);
    }
  }
});

Deno.test("a cap on cost sends requests back", async () => {
  const price = { promptPerMillion: 0, answerPerMillion: 1e6 };
  await using both = await withUpstream({}, { upstream: { price, caps: { perHour: 10 } } });
  const { server, there } = both;
  const ask = async () => {
    await (await server.ask(TEXT, { ...PROMPT, max_tokens: 5 })).text();
    const { place, place_reason } = server.log.at(-1)!;
    return `${place}: ${place_reason}`;
  };
  // Each costs 3, and is expected to cost 5.
  assertEquals([await ask(), await ask(), await ask()], ["gpu: rule", "gpu: rule", "here: cap"]);
  assertEquals(there.seen.length, 2);
  const large = { ...QUESTION, model: "large", max_tokens: 50 };
  const capped = await errorOf(server.ask(CHAT, large), 429);
  assertEquals(
    [capped.code, capped.headers.get("retry-after")],
    ["cost_cap", "86400"],
    "it alone costs more",
  );
  const soon = await errorOf(server.ask(CHAT, { ...large, max_tokens: 5 }), 429);
  const seconds = Number(soon.headers.get("retry-after"));
  assert(seconds > 3400 && seconds <= 3600, `${seconds}`);
});

Deno.test("what is said in tokens of the model here stays here", async () => {
  await using both = await withUpstream();
  const { server, there } = both;
  const stays = [{ prompt: [1, 2] }, { prompt: [[1], [2]] }, { logit_bias: { "5": 1 } }, {
    stop_token_ids: [1],
  }];
  for (const fields of stays) await (await server.ask(TEXT, { ...PROMPT, ...fields })).text();
  await (await server.ask(TEXT, PROMPT, { headers: { "x-kumi-hop": "1" } })).text();
  assertEquals([there.seen.length, server.here.asked.length], [0, stays.length + 2]);
  await (await server.ask(TEXT, { ...PROMPT, logit_bias: {}, stop_token_ids: [], prompt: ["a"] })).text();
  assertEquals(there.seen.length, 1);
  // What comes back is answered here, or nowhere.
  const via = there.seen[0].headers.get("x-kumi-via");
  const back = { headers: { "x-kumi-via": `other, ${via}` } };
  await (await server.ask(TEXT, PROMPT, back)).text();
  assertEquals(
    (await errorOf(server.ask(CHAT, { ...QUESTION, model: "large" }, back), 508)).code,
    "loop_detected",
  );
  assertEquals([there.seen.length, server.here.asked.length], [1, stays.length + 3]);
});

Deno.test("models of upstreams are named, and take fields that the models here do not know", async () => {
  await using both = await withUpstream();
  const { server, there } = both;
  const get = (path: string) =>
    server.handler(new Request(`http://127.0.0.1${path}`, { headers: { host: "127.0.0.1" } }));
  const one = await (await get("/v1/models/large")).json();
  assertEquals([one.id, one.owned_by], ["large", "gpu"]);
  const image = [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] }];
  const answer = await server.ask(CHAT, { model: "large", messages: image, modalities: ["text", "audio"] });
  assertEquals((await answer.json()).choices[0].message.content, "Hello from there");
  assertEquals(there.seen[0].body, { model: "large", messages: image, modalities: ["text", "audio"] });
  assertEquals(
    (await errorOf(server.ask(CHAT, { ...QUESTION, model: "none" }), 404)).code,
    "model_not_found",
  );
  assertEquals(
    (await errorOf(server.ask(CHAT, { ...QUESTION, model: "large", class: "none" }), 400)).code,
    "unknown_class",
  );
  const embeddings = await (await server.ask("/v1/embeddings", { model: "large", input: "a" })).json();
  assertEquals(embeddings.data[0].embedding, [1, 0]);
});

Deno.test("another kumi is told label, class and deadline, and sends nothing further", async () => {
  await using both = await withUpstream({}, { upstream: { kind: "kumi" } });
  const { server, there } = both;
  await (await server.ask(CHAT, {
    ...QUESTION,
    class: "batch",
    deadline_ms: 60_000,
    kumi: { data: "public" },
  })).text();
  const { headers, body } = there.seen[0];
  const names = ["x-kumi-hop", "x-kumi-data", "x-kumi-class", "x-kumi-deadline-ms"];
  assertEquals(names.map((name) => headers.get(name)), ["1", "public", "batch", "60000"]);
  assertEquals(body.class, "batch");
});

Deno.test("a deadline holds elsewhere, too", async () => {
  await using both = await withUpstream({ stallsAfter: 0 });
  const { server, there } = both;
  const late = await errorOf(
    server.ask(CHAT, { ...QUESTION, model: "large", stream: true, deadline_ms: 40 }),
    429,
  );
  assertEquals(late.code, "deadline_missed");
  await waitUntil(() => there.left === 1);
});

Deno.test("a server that is to end waits for what passes, and ends it with an error when it takes too long", async () => {
  await using both = await withUpstream({ stallsAfter: 1 });
  const { server } = both;
  const response = await server.ask(CHAT, { ...QUESTION, stream: true });
  const text = streamed(response);
  await server.handler.drain(20);
  assertEquals(await text, "Hello!draining");
  assertEquals((await errorOf(server.ask(CHAT, QUESTION), 503)).code, "draining");
});

Deno.test("a client that reads slowly slows the upstream down instead of filling the memory", async () => {
  const words = Array.from({ length: 4000 }, () => "x".repeat(1000));
  await using both = await withUpstream({ words });
  const response = await both.server.ask(CHAT, { ...QUESTION, stream: true });
  const reader = response.body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 200));
  let length = 0;
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    length += value!.length;
  }
  assert(length > 4_000_000, `${length} bytes`);
});

Deno.test("an answer that is nested beyond all reason passes as it is", async () => {
  const text = `{"choices":[{"text":"a","finish_reason":"stop"}],"more":${"[".repeat(50_000)}${
    "]".repeat(50_000)
  }}`;
  const response = () => new Response(text, { headers: { "content-type": "application/json" } });
  await using both = await withUpstream({ response });
  assertEquals(await (await both.server.ask(TEXT, PROMPT)).text(), text);
});
