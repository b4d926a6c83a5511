import { assertEquals } from "@std/assert";
import { Merger } from "./merger.ts";
import { PairTable } from "./pair_table.ts";
import { randomInts } from "../../tests/support/vocabularies.ts";

/** The definition: merge the leftmost pair of the lowest rank until there is none. */
function mergeByDefinition(symbols: number[], pairs: PairTable): number[] {
  const ids = [...symbols];
  for (;;) {
    let best = -1;
    let bestAt = -1;
    for (let i = 0; i + 1 < ids.length; i++) {
      const at = pairs.find(ids[i], ids[i + 1]);
      if (at >= 0 && (best < 0 || pairs.first(at) < pairs.first(bestAt))) [best, bestAt] = [i, at];
    }
    if (best < 0) return ids;
    ids.splice(best, 2, pairs.second(bestAt));
  }
}

Deno.test("Merger.merge() equals the definition for short and long words", () => {
  const random = randomInts(5);
  for (let round = 0; round < 400; round++) {
    const alphabet = 2 + random(6);
    const pairs = new PairTable(8);
    for (let rank = 0, next = alphabet; rank < 40; rank++, next++) {
      // Equal ranks for different pairs, as SentencePiece has them.
      pairs.add(random(next), random(next), rank >> random(2), next);
    }
    const symbols = Array.from({ length: 1 + random(200) }, () => random(alphabet));
    const merger = new Merger({ pairs });
    merger.symbols(symbols.length).set(symbols);
    const count = merger.merge(symbols.length);
    assertEquals([...merger.symbols(1).subarray(0, count)], mergeByDefinition(symbols, pairs));
  }
});

Deno.test("Merger.merge() leaves symbols without a token alone", () => {
  const pairs = new PairTable(1);
  pairs.add(0, 0, 0, 1);
  const merger = new Merger({ pairs });
  merger.symbols(5).set([-1, 0, 0, -1, -1]);
  assertEquals([...merger.symbols(5).subarray(0, merger.merge(5))], [-1, 1, -1, -1]);
});

Deno.test("PairTable keeps the first of equal pairs and grows", () => {
  const pairs = new PairTable(1);
  for (let i = 0; i < 1000; i++) pairs.add(i, i * 7, i, i + 1);
  pairs.add(3, 21, 99, 99);
  assertEquals(pairs.count, 1000);
  for (let i = 0; i < 1000; i++) {
    const at = pairs.find(i, i * 7);
    assertEquals([pairs.first(at), pairs.second(at)], [i, i + 1]);
  }
  assertEquals(pairs.find(1, 1), -1);
});
