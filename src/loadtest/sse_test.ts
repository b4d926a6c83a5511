import { assertEquals, assertThrows } from "@std/assert";
import { SseParser } from "./sse.ts";

const STREAM =
  "\ufeff: comment\r\ndata: one\r\n\r\nevent: x\ndata:two\ndata:  ünï\u{1f600}\nid: 3\n\n\n\ndata\rdata: z\r\r" +
  "retry: 5\n\ndata: [DONE]\n\n";
const EVENTS = ["one", "two\n ünï\u{1f600}", "\nz", "[DONE]"];

Deno.test("SseParser gives the same events however the stream is cut", () => {
  const bytes = new TextEncoder().encode(STREAM);
  for (let size = 1; size <= bytes.length; size++) {
    const parser = new SseParser();
    const events: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      events.push(...parser.push(bytes.subarray(at, at + size)));
    }
    assertEquals(events, EVENTS, `${size} bytes at a time`);
    assertEquals(parser.isPartial, false);
  }
});

Deno.test("SseParser gives no event before its end", () => {
  const parser = new SseParser();
  const push = (text: string) => parser.push(new TextEncoder().encode(text));
  assertEquals(push('data: {"a"'), []);
  assertEquals(push(":1}\n"), []);
  assertEquals(parser.isPartial, true);
  assertEquals(push("\n"), ['{"a":1}']);
});

Deno.test("SseParser refuses an event without an end", () => {
  const parser = new SseParser();
  const megabyte = new Uint8Array(2 ** 20).fill(97);
  assertThrows(
    () => {
      for (let i = 0; i < 17; i++) parser.push(megabyte);
    },
    RangeError,
    "An event has more than",
  );
});
