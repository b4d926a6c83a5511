import { assertEquals, assertThrows } from "@std/assert";
import { RECEIPT } from "../../../tests/support/receipt.ts";
import { readReceipts, ReceiptError } from "./read.ts";

const receipts = (text: string) => readReceipts(text).map(({ receipt }) => receipt);

Deno.test("readReceipts() finds receipts alone, in answers, in streams and in an audit's lines", () => {
  const text = JSON.stringify(RECEIPT, null, 2);
  assertEquals(receipts(text) as unknown[], [RECEIPT]);
  const choices = [0, 1].map((index) => ({ index, kumi: { receipt: RECEIPT } }));
  assertEquals(receipts(JSON.stringify({ choices })).length, 2);
  const stream = `: keep-alive\n\nevent: x\ndata: {"a":1}\n\ndata: ${
    JSON.stringify({ choices })
  }\n\ndata: [DONE]\n\n`;
  assertEquals(receipts(stream).length, 2);
  const lines = [{ receipt: RECEIPT, request: { prompt: "a" }, text: "b" }, { receipt: RECEIPT }];
  const [kept, bare] = readReceipts(`${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
  assertEquals([kept.request, kept.text, bare.request], [{ prompt: "a" }, "b", undefined]);
});

Deno.test("readReceipts() says what is no receipt, whatever it is", () => {
  const changed: [object, string][] = [
    [{ kumi_receipt: 2 }, "kumi_receipt"],
    [{ more: 1 }, "receipt"],
    [{ model: { sha256: "AB" } }, "model.sha256"],
    [{ time: "today" }, "time"],
    [{ answer: { ...RECEIPT.answer, tokens: 3 } }, "as many tokens"],
    [{ answer: { ...RECEIPT.answer, marks: "AAA!" } }, "its marks"],
    [{ sampling: { ...RECEIPT.sampling, seed: -1 } }, "sampling.seed"],
    [{ prompt: null }, "prompt"],
  ];
  for (const [change, message] of changed) {
    assertThrows(() => readReceipts(JSON.stringify({ ...RECEIPT, ...change })), ReceiptError, message);
  }
  for (const text of ["", "{}", "[]", "null", "text", '{"receipt":', `{"a":1}\n{"b"`, "[".repeat(100_000)]) {
    assertThrows(() => readReceipts(text), ReceiptError);
  }
  // A receipt may be anything that JSON can be, cut anywhere.
  const whole = JSON.stringify(RECEIPT);
  for (let end = 0; end < whole.length; end++) {
    assertThrows(() => readReceipts(whole.slice(0, end)), ReceiptError);
  }
});
