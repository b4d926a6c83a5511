import { assert, assertEquals } from "@std/assert";
import { AnswerLengths, PromptLengths, promptUnits } from "./routing.ts";

Deno.test("promptUnits() counts tokens as they are and texts by their units", () => {
  assertEquals(promptUnits({ tokens: [3, 4] }), { tokens: [3, 4] });
  assertEquals(promptUnits({ text: "aé" }), { tokens: new Uint16Array([97, 233]), unitsPerToken: 4 });
});

Deno.test("promptUnits() gives conversations that begin alike the same beginning, and keeps turns apart", () => {
  const user = (content: string) => ({ role: "user", content });
  const units = (...contents: string[]) => promptUnits({ messages: contents.map(user) }).tokens;
  const short = Array.from(units("Hi"));
  assertEquals(Array.from(units("Hi", "there")).slice(0, short.length), short);
  assert(String(units("ab", "c")) !== String(units("a", "bc")));
});

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

Deno.test("PromptLengths learns how many tokens texts have, and counts tokens as they are", () => {
  const lengths = new PromptLengths();
  const text = { text: "" };
  assertEquals([lengths.tokens(text, 100), lengths.tokens({ tokens: [] }, 100)], [50, 100]);
  lengths.add({ tokens: [] }, 10, 1);
  lengths.add(text, 400, 80);
  assertEquals([lengths.tokens(text, 100), lengths.tokens({ tokens: [] }, 100)], [80, 100]);
  for (let i = 0; i < 100; i++) lengths.add(text, 400, 60);
  assertEquals(Math.round(lengths.tokens(text, 100)), 60);
  // Eight units and a template of fourteen tokens.
  for (let i = 0; i < 100; i++) lengths.add({ messages: [] }, 8, 14);
  assertEquals(
    Math.round(lengths.tokens(text, 100)),
    100,
    "a long prompt is not refused for short ones' templates",
  );
});
