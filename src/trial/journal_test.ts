import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Journal, JournalError, memoryStore } from "./journal.ts";

let nowMs = 0;
const TIMES = { clock: () => nowMs, now: () => "2026-01-01" };

function fill(store = memoryStore()): Promise<Journal> {
  nowMs = 0;
  const journal = new Journal(store, "a=1\nb=2", TIMES);
  return (async () => {
    for (const key of ["one", "two", "three"]) {
      await journal.step(key, () => {
        nowMs += 1000;
        return { key, text: "line\nbreak" };
      });
    }
    return journal;
  })();
}

Deno.test("Journal.step() finds a thing once and gives it again", async () => {
  const store = memoryStore();
  await fill(store);
  nowMs = 77_000;
  const again = new Journal(store, "a=1\nb=2", TIMES);
  assertEquals([again.resumed, again.startedAt, again.usedMs], [1, "2026-01-01", 0]);
  const never = () => {
    throw new Error("measured again");
  };
  assertEquals(await again.step("one", never), { key: "one", text: "line\nbreak" });
  assertEquals(again.usedMs, 1000);
  // What is used counts all that is there, not only what was given again so far.
  nowMs += 500;
  assertEquals(again.elapsedMs, 3500);
  await again.step("two", never);
  await again.step("three", never);
  nowMs += 250;
  await again.step("four", () => null);
  assertEquals(again.usedMs, 3250);
  assertEquals(new Journal(store, "a=1\nb=2", TIMES).resumed, 2);
});

Deno.test("Journal goes on wherever its file was torn", async () => {
  const whole = memoryStore();
  await fill(whole);
  const text = whole.text!;
  for (let length = 0; length <= text.length; length++) {
    const torn = memoryStore(text.slice(0, length));
    const journal = await fill(torn);
    assertEquals(journal.has("three"), true);
    const keys = torn.text!.split("\n").filter(Boolean).flatMap((line) => JSON.parse(line).key ?? []);
    assertEquals(keys, ["one", "two", "three"], `torn after ${length}`);
  }
});

Deno.test("Journal writes nothing down that failed, and gives what JSON carries", async () => {
  const journal = await fill();
  await assertRejects(() => journal.step("bad", () => Promise.reject(new Error("no"))), Error, "no");
  assertEquals(journal.has("bad"), false);
  assertEquals(await journal.step("bad", () => ({ a: undefined, b: NaN })), { b: null } as unknown);
});

Deno.test("Journal refuses another trial's file, and what is none", async () => {
  const store = memoryStore();
  await fill(store);
  assertThrows(() => new Journal(store, "a=1\nb=3", TIMES), JournalError, "b=2 there, b=3 here");
  assertThrows(() => new Journal(memoryStore("{}\n"), "a=1", TIMES), JournalError, "no journal");
  assertThrows(() => new Journal(memoryStore("nonsense\n"), "a=1", TIMES), JournalError, "line 1");
});
