import { assertEquals } from "@std/assert";
import { differingJson, differingText } from "./verdict.ts";

Deno.test("differences of texts begin where they differ, and what is cut says so", () => {
  const long = "x".repeat(100);
  assertEquals(differingText(long, long), undefined);
  assertEquals(
    differingText(`${long}Zowdy, what brings you here today?`, `${long}Howdy`)?.reason,
    "the answer's text differs from character 100 on (the first is 0): " +
      'it is "Zowdy, what brings you h…" there, computed was "Howdy"',
  );
  const answer = (content: unknown) => ({ id: "1", choices: [{ message: { content } }] });
  assertEquals(differingJson(answer(long), { ...answer(long), id: "2" }), undefined);
  assertEquals(
    differingJson(answer(`${long}a`), answer(`${long}b`))?.reason,
    'the answer differs in "choices.0.message.content" from character 100 on (the first is 0): it is "a" there, computed was "b"',
  );
  assertEquals(
    differingJson(answer([long]), answer(null))?.reason,
    `the answer differs in "choices.0.message.content": it is ["${"x".repeat(78)}…, computed was null`,
  );
});
