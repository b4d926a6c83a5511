import { assertEquals, assertNotEquals } from "@std/assert";
import { prefixHashes } from "./prefix_hashes.ts";

const TOKENS = Array.from({ length: 50 }, (_, i) => 3 * i);

Deno.test("prefixHashes() has one for each full block, equal as far as prompts are", () => {
  const hashes = prefixHashes("key", "", TOKENS, 16);
  assertEquals(hashes.length, 3);
  assertEquals(new Set(hashes).size, 3);
  assertEquals(prefixHashes("key", "", TOKENS.slice(0, 40), 16), hashes.slice(0, 2));
  const other = prefixHashes("key", "", TOKENS.with(20, 0), 16);
  assertEquals(other[0], hashes[0]);
  // The third block has the same tokens after others.
  assertEquals([other[1] === hashes[1], other[2] === hashes[2]], [false, false]);
  assertEquals(prefixHashes("key", "", [1, 2], 16), []);
});

Deno.test("prefixHashes() are others with another key or another tenant", () => {
  const [first] = prefixHashes("key", "", TOKENS, 16);
  for (const [key, tenant] of [["kez", ""], ["key", "a"], ["ke", "y"]]) {
    assertNotEquals(prefixHashes(key, tenant, TOKENS, 16)[0], first);
  }
});
