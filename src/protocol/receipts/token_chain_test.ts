import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { digestPrompt, firstDifference, markedTokens, TokenChain } from "./token_chain.ts";

function chainOf(prompt: number[], answer: number[]): TokenChain {
  const chain = new TokenChain(digestPrompt(prompt));
  chain.push(answer);
  return chain;
}

Deno.test("digestPrompt() depends on every token and its place", () => {
  const { sha256, start } = digestPrompt([1, 2, 300_000]);
  assert(/^[0-9a-f]{64}$/.test(sha256) && sha256 !== start);
  assertEquals(digestPrompt(Int32Array.of(1, 2, 300_000)), { sha256, start });
  for (const other of [[2, 1, 300_000], [1, 2, 300_001], [1, 2], [1, 2, 300_000, 0], []]) {
    assertNotEquals(digestPrompt(other).sha256, sha256);
    assertNotEquals(digestPrompt(other).start, start);
  }
});

Deno.test("TokenChain is the same however its tokens come, and another behind another prompt", () => {
  const chain = chainOf([1, 2], [7, 8, 9]);
  const inParts = new TokenChain(digestPrompt([1, 2]));
  for (const part of [[7], [], [8, 9]]) inParts.push(part);
  assertEquals([inParts.sha256, inParts.marks, inParts.tokens], [chain.sha256, chain.marks, 3]);
  assertNotEquals(chainOf([1, 3], [7, 8, 9]).sha256, chain.sha256);
  assertNotEquals(chainOf([1, 2], [7, 8, 10]).sha256, chain.sha256);
  assertEquals(new TokenChain(digestPrompt([1])).marks, "");
});

Deno.test("firstDifference() finds the first token that differs, or is missing", () => {
  const answer = Array.from({ length: 200 }, (_, i) => i * 17 % 101);
  const { marks } = chainOf([5], answer);
  assertEquals(markedTokens(marks), 200);
  assertEquals(firstDifference(marks, marks), undefined);
  for (const at of [0, 1, 57, 199]) {
    const other = answer.with(at, 999);
    assertEquals(firstDifference(marks, chainOf([5], other).marks), at);
    assertEquals(firstDifference(marks, chainOf([5], answer.slice(0, at)).marks), at);
    assertEquals(firstDifference(chainOf([5], answer.slice(0, at)).marks, marks), at);
  }
});

Deno.test("markedTokens() refuses what are no marks", () => {
  assertThrows(() => markedTokens("AAAA!"), SyntaxError);
  assertThrows(() => markedTokens("AAAA"), SyntaxError, "3 bytes");
});
