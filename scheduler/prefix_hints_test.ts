import { assertEquals } from "@std/assert";
import { PrefixHints } from "./prefix_hints.ts";

const text = (length: number, from = 0) => Array.from({ length }, (_, i) => from + i);

Deno.test("PrefixHints finds what prompts on their way have in common, until the last of them is gone", () => {
  const hints = new PrefixHints();
  assertEquals(hints.peek("ann", text(300)), undefined);
  const first = hints.add(1, "ann", text(300));
  const second = hints.add(2, "ann", [...text(200), ...text(100, 1000)]);
  assertEquals(hints.peek("ann", text(300)), { owner: 1, tokens: 256 });
  assertEquals(hints.peek("ann", [...text(200), 7, 7, 7]), { owner: 1, tokens: 192 });
  assertEquals(hints.peek("ann", text(128)), { owner: 1, tokens: 127 }, "its last token is computed");
  assertEquals([hints.peek("bob", text(300)), hints.peek("ann", text(300, 5))], [undefined, undefined]);
  hints.remove(1, first);
  assertEquals(hints.peek("ann", text(300)), { owner: 2, tokens: 192 });
  hints.remove(2, second);
  assertEquals(hints.peek("ann", text(300)), undefined);
});
