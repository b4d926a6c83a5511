import { assertEquals } from "@std/assert";
import { PrefixHints } from "./prefix_hints.ts";

const text = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);

Deno.test("PrefixHints finds what prompts on their way have in common, until the last of them is gone", () => {
  const hints = new PrefixHints();
  assertEquals(hints.peek("ann", text(300)), 0);
  const first = hints.add("ann", text(300)), second = hints.add("ann", [...text(200), ...text(100, 1000)]);
  assertEquals(hints.peek("ann", text(300)), 256);
  assertEquals(hints.peek("ann", [...text(200), 7, 7, 7]), 192);
  assertEquals(hints.peek("ann", text(128)), 127, "its last token is computed");
  assertEquals([hints.peek("bob", text(300)), hints.peek("ann", text(300, 5))], [0, 0]);
  hints.remove(first);
  assertEquals(hints.peek("ann", text(300)), 192);
  hints.remove(second);
  assertEquals(hints.peek("ann", text(300)), 0);
});
