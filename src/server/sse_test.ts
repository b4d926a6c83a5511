import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CancelReason, type EventSource, EventStream } from "./sse.ts";

const LIMITS = { bufferBytes: 100, stalledMs: 40, keepAliveMs: 40 };

class Source implements EventSource {
  text = "";
  reasons: CancelReason[] = [];
  get waiting() {
    return this.text.length;
  }
  take() {
    const text = this.text;
    this.text = "";
    return text;
  }
  cancelled(reason: CancelReason) {
    this.reasons.push(reason);
  }
}

Deno.test("EventStream writes what comes and closes after its end", async () => {
  const source = new Source();
  const events = new EventStream(source, { ...LIMITS, keepAliveMs: 60_000 });
  const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
  for (const text of ["a", "b"]) {
    const read = reader.read();
    await tick();
    source.text = text;
    events.notify();
    assertEquals((await read).value, text);
  }
  events.end();
  assertEquals((await reader.read()).done, true);
  assertEquals(source.reasons, []);
});

Deno.test("EventStream joins what a slow reader has not read", async () => {
  const source = new Source();
  const events = new EventStream(source, LIMITS);
  for (const text of ["a", "b", "c"]) {
    source.text += text;
    events.notify();
  }
  events.end();
  const parts = await Array.fromAsync(events.body, (bytes) => new TextDecoder().decode(bytes));
  assertEquals(parts, ["abc"]);
});

Deno.test("EventStream cuts a reader off that lets too much wait", async () => {
  const source = new Source();
  const events = new EventStream(source, LIMITS);
  source.text = "x".repeat(101);
  events.notify();
  assertEquals(source.reasons, ["overflowed"]);
  await assertRejects(() => new Response(events.body).text());
  source.text = "y";
  events.notify();
  assertEquals(source.reasons, ["overflowed"]);
});

Deno.test("EventStream cuts a reader off that leaves events unread", async () => {
  const source = new Source();
  let now = 0;
  const events = new EventStream(source, LIMITS, { now: () => now });
  source.text = "x";
  now = 1;
  events.notify();
  now = 100;
  while (source.reasons.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(source.reasons, ["stalled"]);
  await assertRejects(() => new Response(events.body).text());
});

Deno.test("EventStream sends comments while there is nothing to say", async () => {
  const source = new Source();
  let now = 0;
  const events = new EventStream(source, LIMITS, { now: () => now });
  const reader = events.body.getReader();
  const read = reader.read();
  await tick();
  now = 1000;
  assertEquals(new TextDecoder().decode((await read).value), ": keep-alive\n\n");
  await reader.cancel();
});

Deno.test("EventStream tells its source of a client that went away, once", async () => {
  const source = new Source();
  const events = new EventStream(source, LIMITS);
  await events.body.cancel();
  events.notify();
  events.end();
  assertEquals(source.reasons, ["disconnected"]);
  assert(source.waiting === 0);
});

Deno.test("EventStream.probe() writes comments, and nothing once the stream is over", async () => {
  const source = new Source();
  const events = new EventStream(source, { ...LIMITS, bufferBytes: 1e6, stalledMs: 1e6, keepAliveMs: 1e6 });
  const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
  events.probe();
  events.probe();
  for (let i = 0; i < 3; i++) assertEquals((await reader.read()).value, ": keep-alive\n\n");
  const read = reader.read();
  await tick();
  source.text = "a";
  events.notify();
  // Another comment may be the first.
  for (let part = await read; part.value !== "a";) part = await reader.read();
  events.end();
  while (!(await reader.read()).done);
  events.probe();
  assertEquals(source.reasons, []);
});

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
