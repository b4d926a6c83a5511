/** The HTTP interface on a real socket, with the demo model. */
import { assert, assertEquals } from "@std/assert";
import { VERSION } from "../src/protocol/version.ts";
import {
  ANSWER,
  CHAT,
  ENDLESS,
  errorOf,
  eventsOf,
  QUESTION,
  recorder,
  startServer,
  TEXT,
} from "./support/server.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

/** Some of the demo's tokens of a single byte beyond ASCII. */
const BYTE_TOKENS = Array.from({ length: 60 }, (_, i) => 150 + i);

Deno.test("the server answers chats and completions, whole and in parts", async (t) => {
  const { heard, observer } = recorder();
  await using server = await startServer({ observer });
  const { model, get, post } = server;
  const chat = { messages: QUESTION, temperature: 0 };

  await t.step("a chat", async () => {
    const response = await post(CHAT, { ...chat, model: "demo" });
    const { id, object, choices, usage }: Json = await response.json();
    assertEquals([response.status, object, choices.length], [200, "chat.completion", 1]);
    assert(id === `chatcmpl-${response.headers.get("x-request-id")}`);
    assertEquals(choices[0].message, { role: "assistant", content: ANSWER, refusal: null });
    assertEquals(choices[0].finish_reason, "stop");
    const { result } = model.chat(QUESTION, { temperature: 0 });
    const { usage: expected } = await result;
    assertEquals(
      [usage.prompt_tokens, usage.completion_tokens],
      [expected.promptTokens, expected.completionTokens],
    );
    assertEquals(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  });

  await t.step("a chat in parts, with usage and log-probabilities", async () => {
    const whole: Json = await (await post(CHAT, { ...chat, logprobs: true, top_logprobs: 2 })).json();
    const options = {
      stream: true,
      stream_options: { include_usage: true },
      logprobs: true,
      top_logprobs: 2,
    };
    const events: Json[] = await eventsOf(await post(CHAT, { ...chat, ...options }));
    assertEquals(events.pop(), "[DONE]");
    const last = events.pop();
    assertEquals([last.choices, last.usage.completion_tokens], [[], whole.usage.completion_tokens]);
    assertEquals(events[0].choices[0].delta.role, "assistant");
    assertEquals(events.map((event) => event.choices[0].delta.content ?? "").join(""), ANSWER);
    assertEquals(events.at(-1).choices[0].finish_reason, "stop");
    assert(events.every(({ usage, id }) => usage === null && id === events[0].id));
    const logprobs = events.flatMap((event) => event.choices[0].logprobs?.content ?? []);
    assertEquals(logprobs, whole.choices[0].logprobs.content);
    assertEquals(logprobs[0].top_logprobs.length, 2);
    assertEquals(new TextDecoder().decode(Uint8Array.from(logprobs.flatMap(({ bytes }) => bytes))), ANSWER);
  });

  await t.step(
    "log-probabilities: every byte, every alternative, and a list where there is no token",
    async () => {
      // Random tokens: many are parts of characters.
      const random = {
        prompt: "Once",
        seed: 7,
        temperature: 2,
        top_k: 0,
        top_p: 1,
        min_p: 0,
        ignore_eos: true,
      };
      const options = {
        ...random,
        max_tokens: 60,
        logit_bias: Object.fromEntries(BYTE_TOKENS.map((id) => [id, 8])),
      };
      const { choices: [{ text, logprobs }] }: Json = await (await post(TEXT, { ...options, logprobs: 5 }))
        .json();
      assert(logprobs.tokens.some((token: string) => token.startsWith("bytes:")), logprobs.tokens.join("|"));
      for (const [i, top] of logprobs.top_logprobs.entries()) {
        const count = Object.keys(top).length;
        assert(
          top[logprobs.tokens[i]] === logprobs.token_logprobs[i] && (count === 5 || count === 6),
          `${count}`,
        );
      }
      assert(logprobs.text_offset.every((offset: number) => offset <= [...text].length));
      const { tokens: [first] }: Json =
        await (await post("/tokenize", { content: "Once", add_special: false })).json();
      const parts: Json[] = await eventsOf(await post(TEXT, { ...options, logprobs: 5, stream: true }));
      const lists = parts.slice(0, -1).map((event) => event.choices[0].logprobs);
      const joined = (field: string) => lists.flatMap((list) => list?.[field] ?? []);
      for (const field of Object.keys(logprobs)) assertEquals(joined(field), logprobs[field], field);
      const ends = { prompt: "Once", temperature: 0, logit_bias: { [first]: 100 }, stop_token_ids: [first] };
      const whole: Json = await (await post(TEXT, { ...ends, logprobs: 1 })).json();
      assertEquals([whole.choices[0].text, whole.choices[0].logprobs.tokens], ["", []]);
      const { prompt: _, ...chatEnds } = { ...ends, messages: QUESTION, logprobs: true };
      const empty: Json = await (await post(CHAT, chatEnds)).json();
      assertEquals(empty.choices[0].logprobs, { content: [], refusal: null });
      const events: Json[] = await eventsOf(await post(CHAT, { ...chatEnds, stream: true }));
      assertEquals(events.slice(0, -1).map((event) => event.choices[0].logprobs?.content), [
        undefined,
        [],
        undefined,
      ]);
    },
  );

  await t.step("several prompts with several answers", async () => {
    const body = {
      prompt: ["Once upon", "The sun"],
      n: 2,
      seed: 3,
      max_tokens: 6,
      temperature: 2,
      min_p: 0,
      logprobs: 1,
    };
    const { choices, usage }: Json = await (await post(TEXT, body)).json();
    assertEquals(choices.map(({ index, kumi }: Json) => [index, kumi.seed]), [[0, 3], [1, 4], [2, 3], [
      3,
      4,
    ]]);
    assertEquals(usage.completion_tokens, 24);
    const again: Json = await (await post(TEXT, { ...body, prompt: "The sun", n: 1, seed: 4 })).json();
    assertEquals(again.choices[0].text, choices[3].text);
    const { tokens, text_offset } = choices[0].logprobs;
    assertEquals(text_offset[2], tokens[0].length + tokens[1].length);
    const events: Json[] = await eventsOf(await post(TEXT, { ...body, stream: true }));
    const texts = ["", "", "", ""];
    for (const event of events.slice(0, -1)) texts[event.choices[0].index] += event.choices[0].text;
    assertEquals(texts, choices.map(({ text }: Json) => text));
  });

  await t.step("tokens", async () => {
    const { tokens, count }: Json = await (await post("/tokenize", { content: "Once upon" })).json();
    assertEquals([tokens, count], [await model.tokenize("Once upon"), tokens.length]);
    const content = await model.detokenize(tokens);
    assertEquals(await (await post("/detokenize", { tokens })).json(), { content, prompt: content });
    // As vLLM's clients ask.
    const { eos_token }: Json = await (await get("/tokenizer_info")).json();
    const named: Json = await (await post("/tokenize", { prompt: eos_token, add_special_tokens: false }))
      .json();
    assertEquals([eos_token, named.tokens], ["<|im_end|>", [1023]]);
    const { choices }: Json = await (await post(TEXT, { prompt: tokens, max_tokens: 4, temperature: 0 }))
      .json();
    const { text } = await model.generate("Once upon", { maxTokens: 4, temperature: 0 }).result;
    assertEquals(choices[0].text, text);
  });

  await t.step("sampling parameters reach the engine", async () => {
    const first = (await model.tokenize(" upon", { addSpecial: false }))[0];
    const text = async (fields: object) => {
      const body = { prompt: "Once", temperature: 0, max_tokens: 8, ...fields };
      return ((await (await post(TEXT, body)).json()) as Json).choices[0].text as string;
    };
    const plain = await text({});
    assert(plain.startsWith(" upon"));
    assert(!(await text({ logit_bias: { [first]: -100 } })).startsWith(" upon"));
    assertEquals(await text({ stop: " upon" }), "");
    assertEquals(await text({ stop_token_ids: [first] }), "");
    const random = { temperature: 2, seed: 5 };
    assert(await text({ ...random, min_p: 0, top_p: 1, top_k: 0 }) !== await text({ ...random, top_k: 1 }));
    assertEquals(await text({ ...random, top_k: 1 }), plain);
    assertEquals(await text({ ...random, min_p: 1 }), plain);
    assertEquals(await text({ ...random, top_p: 0 }), plain);
    const penalties = { repeat_penalty: 10, presence_penalty: 2, frequency_penalty: 2, max_tokens: 60 };
    assert(await text(penalties) !== await text({ max_tokens: 60 }));
    assertEquals(await text({ ...penalties, penalty_tokens: 0 }), await text({ max_tokens: 60 }));
  });

  await t.step("classes, deadlines and content parts", async () => {
    const content = [{ type: "text", text: "What is" }, { type: "text", text: "17 + 25?" }];
    const messages = [{ role: "user", content }];
    const init = { headers: { "x-kumi-class": "batch", "x-request-id": "my.id" } };
    const batch = await post(CHAT, { messages, temperature: 0, priority: 3 }, init);
    assertEquals([batch.status, batch.headers.get("x-request-id")], [200, "my.id"]);
    await batch.body!.cancel();
    assert(heard.some(([name, event]) => name === "accepted" && (event as Json).class === "batch"));
    const late: Json = await (await post(TEXT, { ...ENDLESS, prompt: "Once", n: 8, deadline_ms: 30 })).json();
    const reasons = late.choices.map(({ finish_reason, kumi }: Json) => [finish_reason, kumi.finish_reason]);
    assert(
      reasons.some(([reason, own]: string[]) => reason === "length" && own === "deadline"),
      `${reasons}`,
    );
  });

  await t.step("models and documents", async () => {
    const { data }: Json = await (await get("/v1/models")).json();
    assertEquals([data[0].id, data[0].kumi.classes], ["demo", ["interactive", "batch"]]);
    assertEquals(await (await get("/v1/models/demo")).json(), data[0]);
    assertEquals(data[0].kumi.version, VERSION);
    const { openapi, paths }: Json = await (await get("/openapi.json")).json();
    assertEquals(openapi, "3.1.0");
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods as object)) {
        const response = await get(path.replace("{id}", "demo"), { method: method.toUpperCase() });
        // A server without a folder for them has no files and no batches, and says so.
        // One in a program is reloaded by that; without keys it has no administrator.
        const status = /^\/v1\/(files|batches)|^\/admin\/reload/.test(path)
          ? 404
          : /^\/admin\/(drain|resume|shutdown)/.test(path)
          ? 403
          : method === "get"
          ? 200
          : 415;
        assertEquals(response.status, status, path);
        await response.body?.cancel();
      }
    }
    const page = await (await get("/docs")).text();
    for (const name of ["frequency_penalty", "messages[].role", "deadline_ms"]) {
      assert(page.includes(name), name);
    }
    const loaded = Array.from(page.matchAll(/(?:src=|<link[^>]+href=)"([^"]*)"/g), ([, from]) => from);
    assertEquals(loaded.filter((from) => !from.startsWith("/ui/assets/")), []);
    assert(loaded.length > 2 && !/<script>|@import|url\(/.test(page), "the page loads something");
    assertEquals((await get("/", { method: "HEAD" })).status, 200);
  });

  await t.step("the observer hears of each answer once", async () => {
    for (let i = 0; i < 100 && heard.at(-1)?.[0] !== "answered"; i++) {
      await new Promise((r) => setTimeout(r, 5));
    }
    const accepted = heard.filter(([name]) => name === "accepted").map(([, { id }]: Json) => id);
    const finished = heard.filter(([name]) => name === "finished").map(([, id]) => id);
    assertEquals(accepted.toSorted(), finished.toSorted());
    assertEquals(new Set(accepted).size, accepted.length);
    for (const [, id, end] of heard.filter(([name]) => name === "finished") as Json[]) {
      const tokens = heard.filter(([name, other]) => name === "tokens" && other === id) as Json[];
      assertEquals(tokens.reduce((sum, [, , count]) => sum + count, 0), end.completionTokens);
      assertEquals(end.status, 200);
      assert(end.e2eMs > 0 && end.promptTokens > 0);
    }
  });
});

Deno.test("the server says what is wrong with a request", async (t) => {
  await using server = await startServer({ bodyLimits: { bytesMax: 20_000, timeMs: 300 } });
  const { get, post, url } = server;
  const bad = (body: unknown, path = CHAT) => errorOf(post(path, body), 400);

  await t.step("400", async () => {
    assertEquals((await bad({ messages: QUESTION, tool: [] })).code, "unknown_field");
    assertEquals((await bad({ messages: [] })).param, "messages");
    assertEquals((await bad("{")).code, "invalid_json");
    assertEquals((await bad("[".repeat(100))).code, "too_deep");
    assertEquals((await bad({ messages: QUESTION, class: "urgent" })).code, "unknown_class");
    assertEquals((await bad({ messages: QUESTION, top_logprobs: 1 })).param, "top_logprobs");
    assertEquals((await bad({ messages: QUESTION, stream_options: {} })).param, "stream_options");
    assertEquals(
      (await bad({ messages: QUESTION, max_tokens: 1, max_completion_tokens: 2 })).param,
      "max_tokens",
    );
    assertEquals((await bad({ prompt: [1024] }, TEXT)).param, "prompt");
    assertEquals((await bad({ prompt: "a", logit_bias: { 1024: 1 } }, TEXT)).param, "logit_bias");
    assertEquals((await bad({ tokens: [5000] }, "/detokenize")).param, "tokens");
    assertEquals((await bad({ prompt: Array(17).fill("a"), n: 8 }, TEXT)).param, "n");
    assertEquals((await bad({ prompt: Array(33).fill("a"), stream: true }, TEXT)).param, "stream");
    assertEquals(
      (await bad({ prompt: "a", prompt_logprobs: 1, stream: true }, TEXT)).param,
      "prompt_logprobs",
    );
    assertEquals((await bad({ prompt: "word ".repeat(600) }, TEXT)).code, "context_length_exceeded");
    const stream = await bad({ prompt: "word ".repeat(600), stream: true }, TEXT);
    assertEquals(stream.code, "context_length_exceeded");
    const headers = { "x-kumi-deadline-ms": "soon" };
    assertEquals(
      (await errorOf(post(CHAT, { messages: QUESTION }, { headers }), 400)).param,
      "x-kumi-deadline-ms",
    );
  });

  await t.step("404, 405, 413, 415, 408, 431", async () => {
    assertEquals((await errorOf(get("/v2"), 404)).type, "not_found_error");
    assertEquals((await errorOf(get("/v1/models/other"), 404)).code, "model_not_found");
    assertEquals(
      (await errorOf(post(CHAT, { messages: QUESTION, model: "gpt" }), 404)).code,
      "model_not_found",
    );
    assertEquals((await errorOf(get(CHAT), 405)).headers.get("allow"), "POST");
    assertEquals((await errorOf(get("/livez", { method: "PUT" }), 405)).headers.get("allow"), "GET, HEAD");
    await errorOf(post(CHAT, "x".repeat(20_001)), 413);
    const parts = ReadableStream.from(Array.from({ length: 30 }, () => new Uint8Array(1000)));
    const headers = { "content-type": "application/json" };
    await errorOf(get(CHAT, { method: "POST", body: parts, headers }), 413);
    await errorOf(get(CHAT, { method: "POST", body: "a=1", headers: { "content-type": "text/plain" } }), 415);
    const slow = new TransformStream<Uint8Array>();
    const writer = slow.writable.getWriter();
    writer.write(new Uint8Array([0x7b])).catch(() => {});
    await errorOf(get(CHAT, { method: "POST", body: slow.readable, headers }), 408);
    writer.close().catch(() => {});
    await errorOf(get("/livez", { headers: { big: "x".repeat(17_000) } }), 431);
  });

  await t.step("requests that are no good HTTP do no harm", async () => {
    const { port } = new URL(url);
    for (
      const head of [
        "GET / HTTP/1.1\r\nHost: a:b:c",
        "GET /%ff%00 HTTP/1.1\r\nHost: localhost",
        "\0\0",
        "GET / HTTP/9",
      ]
    ) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      await connection.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
      const answer = await new Response(connection.readable).text().catch(() => "");
      assert(!answer.startsWith("HTTP/1.1 5") && !answer.startsWith("HTTP/1.1 2"), answer);
    }
    assertEquals(await (await get("/livez")).json(), { live: true });
  });
});

Deno.test("a full queue is 429, with the time after which to try again", async () => {
  const queueLimit = { requests: 1, tokens: 1000 };
  const busy = { priority: 1, maxBatch: 1, maxWaitMs: 0, queueLimit, preemptible: false };
  await using server = await startServer({ classes: [{ ...busy, name: "interactive" }] });
  const bodies = Array.from({ length: 6 }, () => server.post(TEXT, ENDLESS));
  const responses = await Promise.all(bodies);
  const refused = responses.filter(({ status }) => status === 429);
  assert(refused.length > 0 && responses.some(({ status }) => status === 200));
  for (const response of refused) {
    assert(Number(response.headers.get("retry-after")) >= 1);
    assertEquals((await response.json()).error.code, "queue_full");
  }
  for (const { body, bodyUsed } of responses) if (!bodyUsed) await body?.cancel();
});
