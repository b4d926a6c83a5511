import { assert, assertEquals } from "@std/assert";
import { fitTokenRate, PromptMaker, TokenPromptMaker } from "./prompts.ts";

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

Deno.test("PromptMaker keeps to small blocks whose words are no whole number", () => {
  const maker = new PromptMaker({ fixed: 0, perWord: 1.3 }, { nonce: 1 });
  const blocks = Array.from({ length: 60 }, (_, i) => i);
  const make = (last: number) =>
    maker.make({ promptTokens: 1300, blocks: [...blocks.slice(0, 59), last], blockTokens: 16 }).split(" ");
  const [a, b] = [make(59), make(99)];
  // 59 blocks are 944 tokens, which are 726 words.
  assertEquals(a.slice(0, 726), b.slice(0, 726));
  assert(a.slice(726, 738).join() !== b.slice(726, 738).join());
});

Deno.test("TokenPromptMaker shares exactly the blocks that prompts have in common", () => {
  const alphabet = Array.from({ length: 100 }, (_, i) => 1000 + i);
  const maker = new TokenPromptMaker(alphabet, { nonce: 1, prefixTokens: 5 });
  const make = (blocks: number[], promptTokens = 60) => maker.make({ promptTokens, blocks, blockTokens: 16 });
  const sharedBy = (a: number[], b: number[]) => a.findIndex((token, i) => token !== b[i]);
  const [a, b, c] = [make([0, 1, 2]), make([0, 1, 3]), make([4, 1, 2])];
  assertEquals([a.length, b.length], [60, 60]);
  assert(a.every((token) => alphabet.includes(token)));
  const ab = sharedBy(a, b), ac = sharedBy(a, c), again = sharedBy(a, make([0, 1, 2]));
  // The next token is the same by chance in one case of a hundred.
  assert(ab >= 37 && ab <= 39 && ac >= 5 && ac <= 7 && again >= 53 && again <= 55, `${[ab, ac, again]}`);
  assertEquals(make([0, 1, 2], 20), a.slice(0, 20));
});
