/**
 * Many slow clients beside a good one, and clients that leave at any moment. `deno task run
 * bench/slow_clients.ts` measures what a good client has of it; `deno task run
 * tests/server_slow_clients_test.ts 10000` is the long run of clients that leave.
 */
import { assert, assertEquals } from "@std/assert";
import { numbersFrom } from "./support/numbers.ts";
import { ANSWER, assertIdle, CHAT, QUESTION, startServer, type TestServer, TEXT } from "./support/server.ts";
import { SlowClients } from "./support/slow_clients.ts";
import { waitUntil } from "./support/waiting.ts";

async function connections({ get }: TestServer): Promise<number> {
  const metrics = await (await get("/metrics")).text();
  return Number(/^kumi:connections\{[^}]*\} (\d+)$/m.exec(metrics)![1]);
}

Deno.test("a good client is answered beside more slow ones than there are places", async () => {
  await using server = await startServer({
    gate: { connectionsMax: 40, headMs: 400, stalledMs: 500 },
    bodyLimits: { timeMs: 500 },
    streamLimits: { stalledMs: 500 },
  });
  {
    await using slow = new SlowClients(server.server.port, 50);
    slow.start("head", 40);
    slow.start("body", 40);
    slow.start("reader", 8);
    // On a busy machine its own headers may be late enough for the connection to be one that gives way: it
    // asks again then.
    const answers: string[] = [];
    for (let i = 0; i < 100 && answers.length < 15; i++) {
      const asked = server.post(CHAT, { messages: QUESTION, temperature: 0 });
      const reply = await asked.then((response) => response.json()).catch(() => null);
      if (reply?.choices) answers.push(reply.choices[0].message.content);
    }
    assertEquals(answers, Array.from({ length: 15 }, () => ANSWER));
    assert(slow.opened > 88, "nobody was ended");
  }
  await assertIdle(server.model);
  // The one that asks.
  await waitUntil(async () => await connections(server) <= 1);
});

/** Ways to leave: before the server can answer, during a prompt or an answer, with or without a stream. */
async function leaveOnce({ port }: { port: number }, next: (below: number) => number): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const text = JSON.stringify({
      prompt: Array.from({ length: 1 + next(120) }, () => next(500)),
      max_tokens: 1 + next(60),
      n: 1 + next(3),
      stream: next(2) === 0,
      class: next(3) === 0 ? "batch" : "interactive",
    });
    const path = next(6) === 0 ? "/v1/embeddings" : TEXT;
    const body = path === TEXT ? text : JSON.stringify({ input: "to be left ".repeat(next(50) + 1) });
    const request = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`;
    const isWhole = next(8) > 0;
    const bytes = new TextEncoder().encode(isWhole ? request : request.slice(0, next(request.length)));
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    if (next(4) === 0 && isWhole) await conn.closeWrite();
    for (let parts = next(6); parts > 0 && isWhole; parts--) {
      if (await conn.read(new Uint8Array(1 + next(3000))) === null) break;
    }
    await new Promise((resolve) => setTimeout(resolve, next(10)));
  } catch {
    // The server may be the first to end it.
  } finally {
    conn.close();
  }
}

async function leave(count: number, seed: number) {
  await using server = await startServer({
    workers: 2,
    contextLength: 256,
    kvTokens: 1024,
    gate: { headMs: 2000, idleMs: 2000 },
  });
  const { model, post } = server;
  const next = numbersFrom(seed);
  let left = 0;
  await Promise.all(Array.from({ length: 40 }, async () => {
    while (left < count) {
      left++;
      await leaveOnce(server.server, next);
    }
  }));
  await assertIdle(model);
  const { choices } = await (await post(CHAT, { messages: QUESTION, temperature: 0 })).json();
  assertEquals(choices[0].message.content, ANSWER);
  await waitUntil(async () => await connections(server) <= 1);
  const { workers } = await model.stats();
  return workers.flatMap(({ classes }) => classes).map(({ finished, refused }) => ({ ...finished, refused }));
}

Deno.test("clients that leave at any moment leave no sequence, block or connection behind", async () => {
  const classes = await leave(300, 7);
  const sum = (field: "abort" | "stop" | "length") => classes.reduce((all, each) => all + each[field], 0);
  assert(sum("abort") > 30, JSON.stringify(classes));
});

if (import.meta.main && Deno.args.length > 0) {
  const handles = () => [...Deno.readDirSync("/proc/self/fd")].length;
  await leave(200, 1);
  const [before, startedAt] = [handles(), performance.now()];
  const classes = await leave(Number(Deno.args[0]), Number(Deno.args[1] ?? 3));
  console.log(classes, `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  // Sockets of a client's pool may take a moment.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  console.log(`file descriptors before and after: ${before}, ${handles()}`);
}
