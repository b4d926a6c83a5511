import { assert, assertEquals, assertThrows } from "@std/assert";
import { Residents } from "./residents.ts";
import { type MemoryOutcome, simulateMemory } from "./testing/memory_simulation.ts";

/** Residents in which models of these sizes were loaded one after another, and used once each. */
function holding(budgetBytes: number, sizes: Record<string, number>, options = {}): Residents {
  const residents = new Residents({ budgetBytes, ...options });
  let now = 0;
  for (const [name, bytes] of Object.entries(sizes)) {
    load(residents, name, bytes, now);
    residents.release(name, now++);
  }
  return residents;
}

/** Loads a model for somebody who takes it. */
function load(residents: Residents, name: string, bytes: number, now: number): void {
  const ticket = residents.ask(name, now);
  assertEquals(residents.next(now), [{ kind: "measure", name }]);
  residents.measured(name, bytes);
  assertEquals(residents.next(now), [{ kind: "load", name }]);
  residents.loaded(name, now);
  residents.take(name, ticket, now);
}

/** Asks for a model whose size is known; what is done then. */
function want(residents: Residents, name: string, bytes: number, now: number) {
  residents.ask(name, now);
  residents.next(now);
  residents.measured(name, bytes);
  return residents.next(now);
}

Deno.test("Residents load a model once however many ask, and one model at a time", () => {
  const residents = new Residents({ budgetBytes: 100 });
  const tickets = [residents.ask("a", 0), residents.ask("a", 1), residents.ask("a", 2)];
  residents.ask("b", 3);
  assertEquals(residents.next(3), [{ kind: "measure", name: "a" }, { kind: "measure", name: "b" }]);
  residents.measured("b", 30);
  residents.measured("a", 30);
  assertEquals(residents.next(4), [{ kind: "load", name: "a" }], "who came first is first");
  assertEquals(residents.next(5), []);
  residents.loaded("a", 6);
  for (const ticket of tickets) residents.take("a", ticket, 6);
  assertEquals(residents.next(6), [{ kind: "load", name: "b" }]);
  assertEquals([residents.demandOf("a"), residents.heldBytes], [{ uses: 3, waiting: 0 }, 60]);
});

Deno.test("Residents let as few leave as will do, those first that were used longest ago", () => {
  const three = () => holding(100, { a: 20, b: 30, c: 40 });
  const leaving = (bytes: number) => want(three(), "d", bytes, 10).map((each) => [each.kind, each.name]);
  assertEquals(leaving(10), [["load", "d"]]);
  assertEquals(leaving(30), [["unload", "a"]]);
  assertEquals(leaving(60), [["unload", "a"], ["unload", "b"]]);
  assertEquals(leaving(100), [["unload", "a"], ["unload", "b"], ["unload", "c"]]);
  // a alone is too little; with c it would not be needed.
  assertEquals(want(holding(100, { a: 5, c: 90 }), "d", 50, 10), [
    { kind: "unload", name: "c", reason: "room" },
  ]);
});

Deno.test("Residents load only what there is memory for when others have left", () => {
  const residents = holding(100, { a: 60 });
  assertEquals(want(residents, "b", 60, 10), [{ kind: "unload", name: "a", reason: "room" }]);
  assertEquals(residents.next(11), [], "it is still leaving");
  residents.unloaded("a");
  assertEquals(residents.next(12), [{ kind: "load", name: "b" }]);
});

Deno.test("Residents never let go of what is in use; after a turn it takes nothing new", () => {
  const residents = new Residents({ budgetBytes: 100, turnMs: 50 });
  load(residents, "a", 60, 0);
  assertEquals(want(residents, "b", 60, 10), []);
  assertEquals(residents.isOpen("a"), true);
  assertEquals(residents.wakeAt(10), 50);
  residents.next(59);
  assertEquals(residents.isOpen("a"), true);
  residents.next(60);
  assertEquals(residents.isOpen("a"), false);
  const again = residents.ask("a", 61);
  assertEquals(residents.next(62), []);
  assertThrows(() => residents.take("a", again, 62), Error, "cannot be taken");
  residents.release("a", 70);
  assertEquals(residents.next(70), [{ kind: "unload", name: "a", reason: "room" }]);
  residents.unloaded("a");
  assertEquals(residents.next(71).map(({ kind, name }) => [kind, name]), [
    ["measure", "a"],
    ["load", "b"],
  ]);
});

Deno.test("Residents open a model again when those who wanted its memory have left", () => {
  const residents = new Residents({ budgetBytes: 100, turnMs: 0 });
  load(residents, "a", 60, 0);
  const ticket = residents.ask("b", 1);
  residents.next(1);
  residents.measured("b", 60);
  residents.next(2);
  assertEquals(residents.isOpen("a"), false);
  residents.leave("b", ticket);
  residents.next(3);
  assertEquals(residents.isOpen("a"), true);
});

Deno.test("Residents leave a time after their last use, or as a use has it, or when they are dismissed", () => {
  const residents = new Residents({ budgetBytes: 100, keepAliveMs: 1000 });
  load(residents, "a", 10, 0);
  assertEquals(residents.next(5000), [], "it is in use");
  residents.release("a", 5000);
  assertEquals([residents.wakeAt(5001), residents.leavesAt("a")], [6000, 6000]);
  assertEquals(residents.next(5999), []);
  assertEquals(residents.next(6000), [{ kind: "unload", name: "a", reason: "idle" }]);
  residents.unloaded("a");

  load(residents, "a", 10, 7000);
  residents.release("a", 7000);
  residents.take("a", residents.ask("a", 7001), 7001, Infinity);
  residents.release("a", 7001);
  assertEquals([residents.next(1e9), residents.wakeAt(1e9)], [[], undefined]);
  residents.take("a", residents.ask("a", 1e9), 1e9);
  residents.dismiss("a");
  assertEquals(residents.next(1e9), []);
  residents.release("a", 1e9);
  assertEquals(residents.next(1e9), [{ kind: "unload", name: "a", reason: "asked" }]);
});

Deno.test("Residents refuse what is larger than the memory, and say what would have to leave", () => {
  const residents = holding(100, { a: 60, b: 30 });
  const ticket = residents.ask("d", 10);
  residents.next(10);
  residents.measured("d", 95);
  assertEquals(residents.room("d"), {
    needBytes: 95,
    budgetBytes: 100,
    freeBytes: 10,
    wouldGo: [{ name: "a", bytes: 60, uses: 0 }, { name: "b", bytes: 30, uses: 0 }],
  });
  residents.leave("d", ticket);
  const large = residents.ask("e", 11);
  residents.next(11);
  residents.measured("e", 101);
  assertEquals(residents.room("e")!.wouldGo, []);
  assertEquals(residents.next(12), [{ kind: "refuse", name: "e" }]);
  residents.leave("e", large);
  assertEquals([residents.next(13), residents.heldBytes], [[], 90], "nobody had to leave for it");
});

Deno.test("Residents wait longer each time before they try a model again that could not be loaded", () => {
  const residents = new Residents({ budgetBytes: 100, retryMs: 10 });
  const waits: number[] = [];
  for (let i = 0, now = 0; i < 16; i++) {
    const ticket = residents.ask("a", now);
    assertEquals(residents.next(now), [{ kind: "measure", name: "a" }]);
    residents.failed("a", now);
    residents.leave("a", ticket);
    const until = residents.failedUntil("a", now)!;
    waits.push(until - now);
    assertEquals(residents.next(now), []);
    now = until;
    assertEquals(residents.failedUntil("a", now), undefined);
  }
  assertEquals([waits.slice(0, 4), waits.at(-1)], [[10, 20, 40, 80], 60_000]);
});

const SEEDS = 300;

Deno.test("three models that do not fit together: all is served, in bounds, and memory is never above its budget", () => {
  const sum: Record<keyof MemoryOutcome, number> = {} as never;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = simulateMemory({ seed, failureShare: 0, deadlineShare: 0 });
    assertEquals(outcome.served, outcome.requests, `seed ${seed}`);
    assert(outcome.heldBytesMax <= outcome.budgetBytes, `seed ${seed}: ${JSON.stringify(outcome)}`);
    for (const [name, value] of Object.entries(outcome)) {
      sum[name as keyof MemoryOutcome] = (sum[name as keyof MemoryOutcome] ?? 0) + value;
    }
  }
  // It did happen, and often: else the runs would show nothing.
  assert(sum.loads > 10 * SEEDS && sum.unloads > 7 * SEEDS && sum.waited > 10 * SEEDS, JSON.stringify(sum));
});

Deno.test("three models that do not fit together, with deadlines, files that fail and memory that shrinks", () => {
  let failed = 0, left = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = simulateMemory({ seed, failureShare: 0.2, deadlineShare: 0.4, shrinks: true });
    assertEquals(outcome.served + outcome.left + outcome.failed, outcome.requests, `seed ${seed}`);
    failed += outcome.failed;
    left += outcome.left;
  }
  assert(failed > SEEDS && left > SEEDS, `${failed} failed, ${left} left`);
});

Deno.test("of models that all are asked for without a pause each gets its turn", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const outcome = simulateMemory({ seed, failureShare: 0, deadlineShare: 0, pauseMs: 40, requests: 600 });
    assertEquals(outcome.served, outcome.requests);
    // Three turns, what is in use at their ends, and loading: far from the length of the run.
    assert(outcome.waitMsMax < 40_000, `seed ${seed}: somebody waited ${outcome.waitMsMax} ms`);
  }
});
