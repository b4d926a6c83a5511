import { assertEquals } from "@std/assert";
import type { TokenLogprob } from "../../../protocol/answer.ts";
import { printableBytes } from "../../../tokenizer/utf8.ts";
import { CompletionLogprobs } from "./completion_logprobs.ts";

/** [id, bytes or text, log-probability] */
type Named = readonly [number, number[] | string, number];

function named([id, said, logprob]: Named) {
  const bytes = typeof said === "string" ? [...new TextEncoder().encode(said)] : said;
  return { id, text: printableBytes(bytes), bytes, logprob };
}

function token(self: Named, ...top: Named[]): TokenLogprob {
  return { ...named(self), top: top.map(named) };
}

Deno.test("CompletionLogprobs loses no alternative: parts of characters, tokens that look alike, the token itself", () => {
  const { tokens, token_logprobs, top_logprobs } = new CompletionLogprobs().take([
    token([1, [0xe3], -1], [1, [0xe3], -1], [2, [0xe4], -2], [3, [0xe3, 0x81], -3]),
    token([9, "a", -4], [7, "a", -1], [8, "b", -2], [6, "b", -3]),
    token([5, "c", -Infinity]),
  ]);
  assertEquals(tokens, ["bytes:\\xe3", "a", "c"]);
  assertEquals(token_logprobs, [-1, -4, -9999]);
  assertEquals(top_logprobs, [
    { "bytes:\\xe3": -1, "bytes:\\xe4": -2, "bytes:\\xe3\\x81": -3 },
    // The token's own text is its name: what looks the same is named by its id.
    { "token_id:7": -1, b: -2, "token_id:6": -3, a: -4 },
    { c: -9999 },
  ]);
});

Deno.test("CompletionLogprobs counts offsets in characters, across tokens that are parts of them", () => {
  const logprobs = new CompletionLogprobs();
  const offsets = (...said: (number[] | string)[]) =>
    logprobs.take(said.map((each) => token([1, each, -1]))).text_offset;
  // 😀 is one character, and two UTF-16 units.
  assertEquals(offsets("a😀", "b", [0xe3]), [0, 2, 3]);
  assertEquals(offsets([0x81], [0x82, 0x63], "d", []), [3, 3, 5, 6]);
  // A beginning that nothing follows is a character of its own.
  assertEquals(offsets([0xf0, 0x9f], "e"), [6, 7]);
  assertEquals(offsets("f", [0xff], "g"), [8, 9, 10]);
});
