import { assert, assertEquals } from "@std/assert";
import { type StoredStretch, StorePolicy, toEvict } from "./store_policy.ts";
import { Random } from "./testing/random.ts";

Deno.test("StorePolicy keeps what several prompts have in common, and what is long", () => {
  const policy = new StorePolicy({ hitsMin: 2, tokensMin: 1000 });
  assertEquals(policy.note(["a", "ab", "abc"], 400), 0);
  assertEquals(policy.note(["a", "ab", "abd"], 400), 2);
  assertEquals(policy.note(["x"], 400), 0);
  assertEquals(policy.note(["a", "ab", "abd", "abde"], 500), 3);
  assertEquals(policy.note(["long", "longer"], 1000), 2);
  assertEquals(policy.note([], 5000), 0);
});

Deno.test("StorePolicy forgets what nobody asked for in a while", () => {
  const policy = new StorePolicy({ countedMax: 3 });
  policy.note(["a"], 1);
  for (const other of ["b", "c", "d"]) policy.note([other], 1);
  assertEquals(policy.note(["a"], 1), 0);
  assertEquals(policy.note(["d"], 1), 1);
});

Deno.test("toEvict() frees as much as it must, the longest unused and the ends of prompts first", () => {
  const stored = [
    { name: "old 0", bytes: 10, usedAt: 1, index: 0 },
    { name: "old 1", bytes: 10, usedAt: 1, index: 1 },
    { name: "new 0", bytes: 10, usedAt: 2, index: 0 },
    { name: "new 1", bytes: 10, usedAt: 2, index: 1 },
  ];
  const names = (bytesMax: number, incoming: number) =>
    toEvict(stored, bytesMax, incoming)?.map(({ name }) => name);
  assertEquals(names(50, 10), []);
  assertEquals(names(49, 10), ["old 1"]);
  assertEquals(names(40, 15), ["old 1", "old 0"]);
  assertEquals(names(30, 11), ["old 1", "old 0", "new 1"]);
  assertEquals(names(9, 10), undefined);
});

Deno.test("toEvict() never leaves more than the budget, nor a stretch whose beginning has gone before it", () => {
  const random = new Random(11);
  for (let round = 0; round < 300; round++) {
    const stored: (StoredStretch & { prompt: number })[] = [];
    for (let prompt = 0; prompt < 6; prompt++) {
      const usedAt = random.int(0, 4 - 1);
      for (let index = 0; index < random.int(0, 5 - 1); index++) {
        stored.push({ prompt, index, usedAt, bytes: 1 + random.int(0, 9 - 1) });
      }
    }
    const bytesMax = random.int(0, 100 - 1), incoming = random.int(0, 12 - 1);
    const evicted = toEvict(stored, bytesMax, incoming);
    if (evicted === null) {
      assert(incoming > bytesMax);
      continue;
    }
    const left = stored.filter((each) => !evicted.includes(each));
    assert(left.reduce((sum, { bytes }) => sum + bytes, incoming) <= bytesMax);
    for (const { prompt, index } of left) {
      assert(!evicted.some((each) => each.prompt === prompt && each.index < index));
    }
  }
});
