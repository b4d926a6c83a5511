import { assert, assertEquals } from "@std/assert";
import { promptUnits } from "./routing.ts";

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
