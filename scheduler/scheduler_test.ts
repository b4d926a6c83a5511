import { assert, assertEquals, assertThrows } from "@std/assert";
import { MemoryAllocator } from "./memory_allocator.ts";
import { BATCH, Bench, INTERACTIVE } from "./testing/scheduler_bench.ts";
import type { BlockRun, LatencyClass, SchedulerOptions } from "./mod.ts";

Deno.test("a request computes its prompt in chunks, then token by token, and ends after maxTokens", () => {
  const bench = new Bench();
  bench.submit(1, "interactive", 100, { maxTokens: 3 });
  const counts = Array.from({ length: 4 }, () => bench.step()[1]);
  assertEquals(counts, [64, 36, 1, 1]);
  assert(!bench.scheduler.isBusy);
  assertEquals(bench.plan().items, []);
});

Deno.test("an answer ends when the engine says so", () => {
  const bench = new Bench();
  bench.submit(1, "interactive", 4);
  const plan = bench.plan();
  assertEquals(bench.scheduler.complete(plan.step, [{ id: 1, token: 9, isLast: true }], 5, 5), [1]);
  assert(!bench.scheduler.isBusy);
});

Deno.test("tokens that were no choice are computed with the one before them, before any prompt", () => {
  const bench = new Bench({ stepTokensMax: 20 });
  bench.submit(1, "interactive", 4);
  const plan = bench.plan();
  bench.scheduler.complete(plan.step, [{ id: 1, token: 9, more: [7, 8] }], 5, 5);
  bench.submit(2, "interactive", 30);
  const next = bench.plan();
  assertEquals(next.items.map(({ id, first, count, reachesEnd }) => [id, first, count, reachesEnd]), [
    [1, 4, 3, true],
    [2, 0, 17, false],
  ]);
  assertEquals(next.items[0].tokens.slice(4), [9, 7, 8]);
});

Deno.test("decode tokens of one request and prompts of others share a step", () => {
  const bench = new Bench();
  bench.submit(1, "interactive", 10);
  bench.step();
  bench.submit(2, "interactive", 30);
  assertEquals(bench.step(), { 1: 1, 2: 30 });
});

Deno.test("a class that tolerates delay waits for maxBatch requests or maxWaitMs", () => {
  const classes = [INTERACTIVE, { ...BATCH, maxBatch: 3, maxWaitMs: 200 }];
  const bench = new Bench({ classes });
  bench.submit(1, "batch", 4);
  assertEquals(bench.plan().waitMs, 200);
  bench.now = 150;
  bench.submit(2, "batch", 4);
  assertEquals(bench.plan().waitMs, 50);
  bench.now = 200;
  assertEquals(Object.keys(bench.step()), ["1", "2"]);
  bench.submit(3, "batch", 4);
  assertEquals(bench.step()[3], 4, "the batch is running: newcomers join it");
  const full = new Bench({ classes });
  for (const id of [1, 2, 3]) full.submit(id, "batch", 4);
  assertEquals(Object.keys(full.step()), ["1", "2", "3"]);
});

Deno.test("batch work fills steps up to twice the ITL objective, and only to it while an interactive request is alive", () => {
  const bench = new Bench({ stepTokensMax: 200 }, 1000);
  bench.warmUp();
  bench.submit(1, "batch", 600);
  const calm = bench.plan();
  assert(calm.predictedMs! <= 100 && calm.predictedMs! > 55, `${calm.predictedMs}`);
  bench.complete(calm);
  bench.submit(2, "interactive", 4);
  bench.step();
  const plan = bench.plan();
  assertEquals(plan.items.map(({ id }) => id), [2, 1]);
  assert(plan.predictedMs! <= 50 && plan.predictedMs! > 25, `${plan.predictedMs}`);
  bench.complete(plan);
  bench.scheduler.cancel(2);
  assert(bench.plan().predictedMs! > 55);
});

Deno.test("a long interactive prompt does not stop another interactive answer", () => {
  const bench = new Bench();
  bench.warmUp();
  bench.submit(1, "interactive", 4);
  bench.step();
  bench.submit(2, "interactive", 200);
  for (let i = 0; i < 4; i++) {
    const plan = bench.plan();
    assert(plan.items.some(({ id }) => id === 1) && plan.predictedMs! <= 50, `${plan.predictedMs}`);
    bench.complete(plan);
  }
});

/** A bench whose steps take `stepMs`, with an interactive answer under way. */
function slowBench(stepMs: number, more: Partial<LatencyClass> = {}): Bench {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ...more }, BATCH], stepTokensMax: 600 }, 1000);
  bench.stepMs = stepMs;
  bench.warmUp();
  bench.submit(1, "interactive", 4, { maxTokens: 1000 });
  bench.step();
  return bench;
}

Deno.test("an ITL objective that decoding alone misses lets prompts of every class at most double the step", () => {
  for (const name of ["interactive", "batch"]) {
    const bench = slowBench(60);
    bench.submit(2, name, 300);
    const plan = bench.plan();
    assertEquals(plan.items.map(({ id }) => id), [1, 2]);
    assert(plan.predictedMs! <= 2 * 61 && plan.predictedMs! > 1.5 * 61, `${name}: ${plan.predictedMs}`);
  }
});

Deno.test("an ITL objective that decoding alone meets is kept, but for a quantum of the class's own prompts", () => {
  const bench = slowBench(45);
  bench.submit(2, "batch", 300);
  assert(bench.plan().predictedMs! <= 50);
  const own = slowBench(45);
  own.submit(2, "interactive", 300);
  assertEquals(own.step(), { 1: 1, 2: 16 });
});

Deno.test("a prompt of 512 tokens keeps its TTFT objective beside an answer of its class", () => {
  const ttftSloMs = 1200;
  for (const stepMs of [20, 30, 40, 45]) {
    const bench = slowBench(stepMs, { ttftSloMs });
    const since = bench.now;
    assert(bench.submit(2, "interactive", 512).accepted);
    bench.submit(3, "batch", 512);
    let computed = 0;
    while (computed < 512) {
      const counts = bench.step();
      assertEquals(counts[1], 1, "the answer goes on");
      computed += counts[2];
    }
    assert(bench.now - since <= ttftSloMs, `${bench.now - since} ms with steps of ${stepMs} ms`);
    assert(bench.now - since > ttftSloMs / 2, "it leaves the answer the rest");
  }
});

Deno.test("higher priority starts first within a class", () => {
  const bench = new Bench({ classes: [{ ...BATCH, maxBatch: 1 }] });
  bench.submit(1, "batch", 4);
  bench.submit(2, "batch", 4, { priority: 5 });
  assertEquals(bench.step(), { 2: 4 });
});

Deno.test("the oldest request goes first after ageingMs, whatever its class", () => {
  const classes = [{
    ...INTERACTIVE,
    // Eight answers take 13 ms: nothing fits beside them.
    itlSloMs: 13.5,
    maxBatch: 100,
    queueLimit: { requests: 1000, tokens: 10_000 },
  }, BATCH];
  const bench = new Bench({ classes, ageingMs: 300 }, 1000);
  bench.warmUp();
  bench.submit(0, "batch", 4);
  let id = 1, waitedMs = 0;
  const since = bench.now;
  for (; waitedMs < 1000; waitedMs = bench.now - since) {
    while (bench.scheduler.stats()[0].running + bench.scheduler.stats()[0].waiting < 8) {
      bench.submit(id++, "interactive", 8);
    }
    if (bench.step()[0] !== undefined) break;
  }
  assert(waitedMs >= 250 && waitedMs < 400, `${waitedMs}`);
});

Deno.test("a class that is kept out by whom nobody may preempt starts when that one ends, before newcomers", () => {
  const bench = new Bench({ stepTokensMax: 2, stepSequencesMax: 2, ageingMs: 50 }, 10);
  bench.submit(1, "interactive", 28, { maxTokens: 8 });
  bench.step();
  bench.submit(2, "batch", 12);
  let steps = 0;
  for (let id = 3; bench.scheduler.stats()[1].running === 0; id++) {
    assert(steps++ < 100);
    const isDue = bench.now >= 100;
    // Small enough for what is left beside the first one.
    if (isDue) bench.submit(id, "interactive", 1, { maxTokens: 1 });
    const counts = bench.step();
    if (isDue) assertEquals(Object.keys(counts), counts[2] === undefined ? ["1"] : ["2"]);
  }
  assertEquals(steps, 13 + 7 + 1, "the rest of the prompt and of the answer, then its turn");
});

Deno.test("KV shortage preempts the newest of the lowest class, which is computed again with what it said", () => {
  const bench = new Bench({}, 12);
  bench.submit(1, "batch", 12, { maxTokens: 20 });
  bench.submit(2, "batch", 8, { maxTokens: 20 });
  bench.step();
  bench.submit(3, "interactive", 28, { maxTokens: 8 });
  const plan = bench.plan();
  assertEquals(plan.preempted, [2]);
  assertEquals(plan.items.map(({ id }) => id), [3, 1]);
  bench.complete(plan);
  const said = new Map<number, number>();
  while (bench.scheduler.isBusy) {
    for (const { id, tokens } of bench.scheduler.sequences()) {
      assert(tokens.length >= (said.get(id) ?? 0), "what was said stays");
      said.set(id, tokens.length);
    }
    bench.step();
  }
  assertEquals([...said.keys()].toSorted(), [1, 2, 3]);
});

/** Refuses once when it is told to. */
class RefusingAllocator extends MemoryAllocator {
  refuses = false;

  override tryAllocate(count: number, after?: number): readonly BlockRun[] | null {
    const refused = this.refuses;
    this.refuses = false;
    return refused ? null : super.tryAllocate(count, after);
  }
}

Deno.test("who has just lost its blocks is not computed when they cannot be had for the one that took them", () => {
  const allocator = new RefusingAllocator(6);
  const bench = new Bench({ allocator, classes: [BATCH], ageingMs: 50 });
  bench.submit(1, "batch", 7);
  bench.submit(2, "batch", 5);
  // Both have three blocks then, and those of the first are full.
  for (let i = 0; i < 6; i++) bench.step();
  bench.now += 50;
  allocator.refuses = true;
  const plan = bench.plan();
  assertEquals([plan.preempted, plan.items.map(({ id }) => id)], [[2], [1]]);
  bench.complete(plan);
  for (const { id, blocks } of bench.scheduler.sequences()) assertEquals(blocks, id === 1 ? 4 : 0);
  const ended: number[] = [];
  while (bench.scheduler.isBusy) ended.push(...bench.complete(bench.plan())!);
  assertEquals(ended, [1, 2]);
});

Deno.test("cancelling frees the blocks: at once, or when the step under way is over", () => {
  const bench = new Bench();
  bench.submit(1, "batch", 20);
  assert(bench.scheduler.cancel(1), "waiting");
  assert(!bench.scheduler.cancel(1));
  bench.submit(2, "batch", 20);
  const plan = bench.plan();
  assert(bench.scheduler.cancel(2), "in a step");
  assertEquals([...bench.scheduler.sequences()].map(({ id }) => id), [2]);
  assertEquals(bench.scheduler.complete(plan.step, [], 5, 5), []);
  assertEquals([...bench.scheduler.sequences()], []);
  bench.submit(3, "batch", 20);
  bench.step();
  assert(bench.scheduler.cancel(3), "between two steps");
  assertEquals([...bench.scheduler.sequences()], []);
});

Deno.test("a completion counts once, and an abandoned step is computed again", () => {
  const bench = new Bench();
  bench.submit(1, "batch", 8);
  const lost = bench.plan();
  assertThrows(() => bench.plan(), Error, "under way");
  assert(bench.scheduler.abandon(lost.step));
  const again = bench.plan();
  assertEquals(again.items.map(({ first, count }) => [first, count]), [[0, 8]]);
  assertEquals(bench.complete(lost), null);
  assertEquals(bench.complete(again), []);
  assertEquals(bench.complete(again), null);
});

Deno.test("a step without the token of a sequence that reached its end is refused", () => {
  const bench = new Bench();
  bench.submit(1, "batch", 8);
  const { step } = bench.plan();
  assertThrows(() => bench.scheduler.complete(step, [], 5, 5), RangeError, "no result for request 1");
});

Deno.test("a paused request keeps its place and computes nothing", () => {
  const bench = new Bench();
  bench.submit(1, "interactive", 8);
  bench.step();
  bench.scheduler.setPaused(1, true);
  const plan = bench.plan();
  assertEquals([plan.items, plan.waitMs], [[], undefined]);
  bench.scheduler.setPaused(1, false);
  assertEquals(bench.step(), { 1: 1 });
});

Deno.test("a paused request gives its place up to one that waits, and goes on later", () => {
  const bench = new Bench({ classes: [{ ...BATCH, maxBatch: 1 }] });
  bench.submit(1, "batch", 8);
  bench.step();
  bench.submit(2, "batch", 8);
  assertEquals(bench.step(), { 1: 1 });
  bench.scheduler.setPaused(1, true);
  const plan = bench.plan();
  assertEquals([plan.items.map(({ id }) => id), plan.preempted], [[2], [1]]);
  bench.complete(plan);
  bench.scheduler.setPaused(1, false);
  while (bench.step()[2] !== undefined);
  assertEquals(bench.step(), { 1: 1 });
});

Deno.test("a request that shares no prefix computes all of its tokens, and leaves nothing for others", () => {
  const bench = new Bench();
  const tokens = Array.from({ length: 20 }, (_, i) => i);
  const submit = (id: number, sharesPrefix: boolean) =>
    bench.submit(id, "interactive", 0, { tokens, maxTokens: 1, sharesPrefix });
  for (const [id, sharesPrefix] of [[1, false], [2, true], [3, false], [4, true]] as const) {
    submit(id, sharesPrefix);
    assertEquals(bench.step(), { [id]: id === 4 ? 4 : 20 });
  }
});

Deno.test("a restored request goes on behind what it said and is not refused", () => {
  const bench = new Bench({
    classes: [{ ...BATCH, maxWaitMs: 1000, queueLimit: { requests: 1, tokens: 1 } }],
  });
  bench.scheduler.restore({ id: 1, class: "batch", tokens: [1, 2, 3, 7, 7], maxTokens: 4 }, 2, 0);
  assertEquals(bench.step(), { 1: 5 });
  assertEquals(bench.step(), { 1: 1 });
  assert(!bench.scheduler.isBusy, "two of four tokens had been said");
});

Deno.test("a known prefix is not computed again by the same tenant", () => {
  const bench = new Bench();
  const tokens = Array.from({ length: 20 }, (_, i) => i);
  const submit = (id: number, tenant: string) =>
    bench.submit(id, "interactive", 0, { tokens, tenant, maxTokens: 2 });
  submit(1, "a");
  assertEquals(bench.step(), { 1: 20 });
  submit(2, "a");
  submit(3, "b");
  assertEquals(bench.step(), { 1: 1, 2: 4, 3: 20 });
});

Deno.test("submit() throws for what the caller should have known", () => {
  const bench = new Bench();
  assertThrows(() => bench.submit(1, "bulk", 4), RangeError, 'No latency class is called "bulk"');
  assertThrows(() => bench.submit(1, "batch", 0), RangeError, "must have tokens");
  bench.submit(1, "batch", 4);
  assertThrows(() => bench.submit(1, "batch", 4), RangeError, "is there already");
});

/** Guesses right, or wrong, or as many as asked for. */
function guessingBench(answer: (count: number) => number[], more: Partial<SchedulerOptions> = {}): Bench {
  const source = {
    msPerToken: 0,
    guess: (_: number, __: unknown, count: number) => answer(count),
    forget: () => {},
  };
  const bench = new Bench({ speculation: { source }, stepRowsMax: 40, ...more }, 1000);
  bench.stepMs = 40;
  bench.warmUp();
  return bench;
}

Deno.test("guesses are computed behind the last token, and what was right is not computed again", () => {
  const bench = guessingBench((count) => new Array(count).fill(7));
  bench.submit(1, "batch", 4, { maxTokens: 40 });
  bench.step();
  const plan = bench.plan();
  const [{ count, draft, first }] = plan.items;
  assertEquals([first, count], [4, 1]);
  assert(draft.length >= 2, `${draft.length}`);
  assertEquals(plan.load.tokens, 1 + draft.length);
  const more = [7, 9];
  bench.scheduler.complete(plan.step, [{ id: 1, token: 7, more, guessed: 2 }], 45, bench.now += 45);
  const [next] = bench.plan().items;
  assertEquals([next.first, next.count, next.tokens.slice(4)], [7, 1, [7, 7, 7, 9]]);
});

Deno.test("the blocks of wrong guesses are free again, also after a step that was abandoned", () => {
  let guess = 7;
  const bench = guessingBench((count) => new Array(count).fill(guess));
  bench.submit(1, "batch", 7, { maxTokens: 400 });
  for (let i = 0; i < 10; i++) bench.step();
  guess = 1;
  for (const end of ["complete", "abandon"] as const) {
    const plan = bench.plan();
    const [{ draft, tokens, tables: [table] }] = plan.items;
    assert(draft.length > 4, `${draft.length}`);
    assert(table.end > Math.ceil(tokens.length / 4));
    if (end === "abandon") bench.scheduler.abandon(plan.step);
    else bench.complete(plan);
    const [{ blocks, tokens: { length } }] = [...bench.scheduler.sequences()];
    assertEquals(blocks, Math.ceil(length / 4), end);
  }
});

Deno.test("nothing is guessed beside a prompt, with more than two answers, or while somebody waits", () => {
  const bench = guessingBench((count) => new Array(count).fill(7), {
    classes: [INTERACTIVE, { ...BATCH, maxBatch: 3 }],
  });
  const drafts = () => {
    const plan = bench.plan();
    const guessed = plan.items.map(({ draft }) => draft.length > 0);
    bench.complete(plan);
    return guessed;
  };
  const submit = (id: number, tokens: number) => bench.submit(id, "batch", tokens, { maxTokens: 100 });
  submit(1, 4);
  bench.step();
  assertEquals(drafts(), [true]);
  submit(2, 8);
  assertEquals(drafts(), [false, false], "the second one's prompt");
  assertEquals(drafts().includes(true), true);
  submit(3, 4);
  bench.step();
  assertEquals(drafts(), [false, false, false]);
  bench.scheduler.cancel(3);
  bench.scheduler.cancel(2);
  assertEquals(drafts(), [true]);
});

Deno.test("guesses keep to the ITL objective, and to the rows of logits that there are", () => {
  const urgent = guessingBench((count) => new Array(count).fill(7));
  urgent.submit(1, "interactive", 4, { maxTokens: 100 });
  urgent.step();
  for (let i = 0; i < 10; i++) {
    const plan = urgent.plan();
    assert(plan.predictedMs! <= 50, `${plan.predictedMs}`);
    urgent.complete(plan);
  }
  const narrow = guessingBench((count) => new Array(count).fill(7), { stepSequencesMax: 2, stepRowsMax: 3 });
  narrow.submit(1, "batch", 4, { maxTokens: 100 });
  narrow.step();
  assertEquals(narrow.plan().items.map(({ draft }) => draft.length), [2]);
});

Deno.test("a step with more right guesses than there were is refused", () => {
  const bench = new Bench();
  bench.submit(1, "batch", 8);
  const { step } = bench.plan();
  const results = [{ id: 1, token: 3, guessed: 1 }];
  assertThrows(
    () => bench.scheduler.complete(step, results, 5, 5),
    RangeError,
    "cannot have 1 right guesses of 0",
  );
});
