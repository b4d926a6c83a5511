import { assert, assertEquals } from "@std/assert";
import { AnswerLengths, PromptLengths } from "./request_lengths.ts";

Deno.test("AnswerLengths.remaining() takes the limit, else the mean of what has ended, and at least one", () => {
  const lengths = new AnswerLengths();
  assertEquals(lengths.remaining(0), 128);
  lengths.add(10);
  lengths.add(30);
  assertEquals([lengths.remaining(0), lengths.remaining(5), lengths.remaining(90)], [20, 15, 1]);
  assertEquals(lengths.remaining(3, 7), 4);
  for (let i = 0; i < 500; i++) lengths.add(100);
  assert(lengths.remaining(0) > 95);
});

Deno.test("PromptLengths learns how many tokens texts have", () => {
  const lengths = new PromptLengths();
  assertEquals(lengths.tokens(100), 50);
  lengths.add(0, 3);
  lengths.add(100, 80);
  assertEquals(lengths.tokens(100), 80);
  for (let i = 0; i < 100; i++) lengths.add(100, 60);
  assertEquals(Math.round(lengths.tokens(100)), 60);
  // Eight units and a template of fourteen tokens.
  for (let i = 0; i < 100; i++) lengths.add(2, 14);
  assertEquals(
    Math.round(lengths.tokens(100)),
    100,
    "a long prompt is not refused for short ones' templates",
  );
});
