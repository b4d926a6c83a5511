import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { newRecord, type RequestRecord } from "../loadtest/send.ts";
import { measuredSpeed } from "./upstream_speed.ts";

/** An answer of 11 tokens, of which one comes each 20 ms. */
function answer(promptTokens: number, ttftMs: number): RequestRecord {
  const record = newRecord({ class: "interactive", atMs: 0 }, 100);
  const first = 100 + ttftMs;
  const partsMs = Array.from({ length: 11 }, (_, i) => first + 20 * i);
  return { ...record, outcome: "ok", partsMs, endMs: first + 200, promptTokens, completionTokens: 11 };
}

Deno.test("measuredSpeed() finds the network, the prompts' rate and the answers' of an endpoint", () => {
  const lengths = Array.from({ length: 21 }, (_, i) => 100 * (1 + i));
  const even = lengths.map((tokens) => answer(tokens, 80 + 0.5 * tokens));
  const speed = measuredSpeed([...even, newRecord({ class: "interactive", atMs: 0 }, 0)])!;
  assertAlmostEquals(speed.firstTokenMs, 80, 1e-9);
  assertAlmostEquals(speed.promptTokensPerSecond, 2000, 1e-9);
  assertAlmostEquals(speed.tokensPerSecond, 50, 1e-9);
  // A few that were stuck change little.
  const stuck = even.map((each, i) => i % 7 === 3 ? answer(each.promptTokens, 9000) : each);
  const { promptTokensPerSecond } = measuredSpeed(stuck)!;
  assert(promptTokensPerSecond > 1000 && promptTokensPerSecond < 4000, `${promptTokensPerSecond}`);
});

Deno.test("measuredSpeed() says nothing of few answers, and of prompts of one length only what they took", () => {
  assertEquals(measuredSpeed(Array.from({ length: 7 }, () => answer(10, 50))), null);
  const speed = measuredSpeed(Array.from({ length: 20 }, () => answer(1000, 50)))!;
  assertEquals([speed.firstTokenMs, speed.promptTokensPerSecond], [49, 1e6]);
});
