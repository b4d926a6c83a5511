import { assert, assertEquals } from "@std/assert";
import { fitTokenRate, PromptMaker } from "./prompts.ts";

const RATE = { fixed: 8, perWord: 2 };

Deno.test("fitTokenRate() finds what the template adds and what a word costs", () => {
  assertEquals(fitTokenRate({ words: 16, tokens: 40 }, { words: 144, tokens: 296 }), RATE);
  // A server that counts nonsense leaves something to go on with.
  assertEquals(fitTokenRate({ words: 16, tokens: 0 }, { words: 144, tokens: 0 }), { fixed: 0, perWord: 0.2 });
});

Deno.test("PromptMaker makes prompts of the length that was asked for, each another", () => {
  const maker = new PromptMaker(RATE, { nonce: 1 });
  const prompts = Array.from({ length: 200 }, () => maker.make({ promptTokens: 108 }));
  for (const prompt of prompts) assertEquals(prompt.split(" ").length, 50);
  const beginnings = new Set(prompts.map((prompt) => prompt.split(" ").slice(0, 6).join(" ")));
  assertEquals(beginnings.size, 200);
  const other = new PromptMaker(RATE, { nonce: 2 }).make({ promptTokens: 108 });
  assert(!prompts.includes(other));
  assertEquals(maker.make({ promptTokens: 1 }).split(" ").length, 1);
});

Deno.test("PromptMaker begins all prompts with the shared prefix", () => {
  const maker = new PromptMaker(RATE, { nonce: 1, prefixTokens: 60 });
  const [a, b] = [0, 1].map(() => maker.make({ promptTokens: 108 }).split(" "));
  assertEquals(a.slice(0, 30), b.slice(0, 30));
  assert(a.slice(30, 36).join() !== b.slice(30, 36).join());
  assertEquals([a.length, b.length], [50, 50]);
});

Deno.test("PromptMaker gives blocks of the same name the same words", () => {
  const maker = new PromptMaker(RATE, { nonce: 1 });
  const words = (blocks: number[]) => maker.make({ promptTokens: 8 + 1400, blocks }).split(" ");
  const a = words([0, 1, 2]), b = words([0, 1, 3]), c = words([4, 1, 2]);
  assertEquals([a.length, b.length], [700, 700]);
  assertEquals(a.slice(0, 512), b.slice(0, 512));
  assert(a.slice(512).join() !== b.slice(512).join());
  assert(a.slice(0, 256).join() !== c.slice(0, 256).join());
});
