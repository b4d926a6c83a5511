import { assertEquals } from "@std/assert";
import { saidBeside, saidIn } from "./said.ts";

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (index: number, delta: object) => event({ choices: [{ index, delta }] });

Deno.test("saidIn() puts the text of a stream together, choice by choice", () => {
  const chat = chunk(0, { role: "assistant", content: "" }) + chunk(0, { content: "a" }) +
    ": keep-alive\n\n" +
    chunk(1, { content: "x" }) + chunk(0, { content: "b" }) + event({ choices: [], usage: {} }) +
    "data: [DONE]\n\n";
  assertEquals(saidIn(chat), { kind: "stream", texts: new Map([[0, "ab"], [1, "x"]]) });
  const plain = event({ choices: [{ index: 0, text: "c" }] }) + event({ choices: [{ index: 0, text: "d" }] });
  assertEquals(saidIn(plain), { kind: "stream", texts: new Map([[0, "cd"]]) });
});

Deno.test("saidIn() takes no stream for text of which the text cannot be told", () => {
  assertEquals(saidIn(chunk(0, { content: null, tool_calls: [{}] })), null);
  assertEquals(saidIn(chunk(0, { reasoning_content: "hm" })), null);
  assertEquals(saidIn(`event: message_start\n${event({ type: "message_start" })}`), null);
  assertEquals(saidIn('{"response":"a"}\n{"response":"b"}\n'), null);
});

Deno.test("a text is a text, whatever it looks like; a receipt alone says nothing of an answer", () => {
  for (const text of ["", "data: none", "{ not JSON", "two\nlines"]) {
    assertEquals(saidIn(text), { kind: "text", text });
  }
  assertEquals(saidBeside("a text"), null);
  assertEquals(saidBeside('{"kumi_receipt":1,"model":{"sha256":"ab"}}'), null);
  assertEquals(saidBeside('{"receipts":[]}'), null);
  assertEquals(saidBeside('{"model":"m","choices":[]}')?.kind, "json");
});
