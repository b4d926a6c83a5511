/** Clients that go away, and clients that do not read. */
import { assert, assertEquals } from "@std/assert";
import { createHandler, loadModel } from "../mod.ts";
import {
  ANSWER,
  assertIdle,
  CHAT,
  ENDLESS,
  eventsOf,
  QUESTION,
  recorder,
  startServer,
  TEXT,
} from "./support/server.ts";

const CLIENTS = 100;

Deno.test(`${CLIENTS} clients that go away leave nothing behind`, async () => {
  const { heard, observer } = recorder();
  await using server = await startServer({ observer, contextLength: 512 });
  const { model, post } = server;
  for (let i = 0; i < CLIENTS; i += 10) {
    await Promise.all(Array.from({ length: 10 }, async (_, j) => {
      const controller = new AbortController();
      const body = { ...ENDLESS, prompt: `Once ${i + j}`, seed: i + j, stream: j % 2 === 0, n: 1 + j % 3 };
      const response = post(TEXT, body, { signal: controller.signal });
      if (body.stream && j > 2) {
        const reader = (await response).body!.getReader();
        for (let part = 0; part < j; part++) await reader.read();
        controller.abort();
        await reader.read().catch(() => {});
      } else {
        await new Promise((resolve) => setTimeout(resolve, j));
        controller.abort();
        await response.then(({ body }) => body?.cancel(), () => {}).catch(() => {});
      }
    }));
  }
  await assertIdle(model);
  const { workers } = await model.stats();
  assert(workers[0].classes[0].finished.abort > CLIENTS / 2);
  const gone = heard.filter(([name, , end]) =>
    name === "finished" && (end as { status: number }).status === 499
  );
  assert(gone.length > CLIENTS / 2);
  const { choices } = await (await post(CHAT, { messages: QUESTION, temperature: 0 })).json();
  assertEquals(choices[0].message.content, ANSWER);
});

Deno.test("a client that does not read is cut off and its requests end", async () => {
  await using server = await startServer({ streamLimits: { bufferBytes: 64 << 10, stalledMs: 300 } });
  const { model, url, post } = server;
  // More than the buffers of most sockets hold; the test after this one needs none.
  const body = JSON.stringify({ ...ENDLESS, prompt: ["Once", "Twice"], n: 8, stream: true, logprobs: 20 });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  const head =
    `POST ${TEXT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  await connection.write(new TextEncoder().encode(`${head}\r\n\r\n${body}`));
  await assertIdle(model);
  const events = await eventsOf(await post(CHAT, { messages: QUESTION, temperature: 0, stream: true }));
  assertEquals(events.at(-1), "[DONE]");
  const text = await new Response(connection.readable).text().catch(() => "");
  const { workers } = await model.stats();
  // A system with large buffers takes all of it; then there is nobody to cut off.
  const { abort } = workers[0].classes[0].finished;
  assertEquals(text.includes("[DONE]"), abort === 0);
});

for (const gate of [undefined, false] as const) {
  Deno.test(`a stream says that it is there, then that it waits, then its role with its first token${gate === undefined ? "" : ", without the gate"}`, async () => {
    // Requests wait for company, which does not come.
    const patient = { priority: 0, maxBatch: 8, maxWaitMs: 1000, preemptible: false };
    const queueLimit = { requests: 8, tokens: 10_000 };
    await using server = await startServer({
      gate,
      streamLimits: { keepAliveMs: 80 },
      classes: [{ ...patient, name: "interactive", queueLimit }],
    });
    const response = await server.post(CHAT, { messages: QUESTION, temperature: 0, stream: true });
    const { classes: [{ waiting, running }] } = (await server.model.stats()).workers[0];
    assertEquals([response.status, waiting + running], [200, 1], "its head came with its answer");
    const chunks = await Array.fromAsync(response.body!.pipeThrough(new TextDecoderStream()));
    assertEquals(chunks[0], ": keep-alive\n\n");
    const first = chunks.find((chunk) => !chunk.startsWith(":"))!;
    const [role, content] = first.split("\n\n").map((event) =>
      JSON.parse(event.slice("data: ".length) || "null")
    );
    assertEquals(role.choices[0].delta.role, "assistant");
    assert(content.choices[0].delta.content.length > 0);
  });
}

Deno.test("createHandler() needs no socket", async () => {
  await using model = await loadModel("demo", { threads: 1 });
  const handler = createHandler(model, {
    modelName: "toy",
    canaryMs: 0,
    streamLimits: { bufferBytes: 3000 },
  });
  await handler.settled;
  const ask = (path: string, body: unknown) =>
    handler(
      new Request(`http://localhost${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { host: "localhost", "content-type": "application/json" },
      }),
    );
  const whole = await (await ask(CHAT, { messages: QUESTION, temperature: 0, model: "toy" })).json();
  assertEquals(whole.choices[0].message.content, ANSWER);
  const unread = await ask(TEXT, { ...ENDLESS, stream: true });
  await assertIdle(model);
  const { workers } = await model.stats();
  assertEquals(workers[0].classes[0].finished.abort, 0, "a text within the buffer's size was cut off");
  assert((await unread.text()).endsWith("data: [DONE]\n\n"));
  const large = await ask(TEXT, { ...ENDLESS, stream: true, logprobs: 20 });
  await assertIdle(model);
  assertEquals((await model.stats()).workers[0].classes[0].finished.abort, 1);
  assert(
    await large.text().then(() => false, () => true),
    "a stream that was cut off ended as if it were whole",
  );
  handler.close();
});
