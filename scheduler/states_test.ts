/** Sequences with states under the scheduler: blocks have 4 tokens, a state takes the memory of 5 blocks. */
import { assert, assertEquals } from "@std/assert";
import { BATCH, Bench, INTERACTIVE } from "./testing/scheduler_bench.ts";
import type { SchedulerOptions } from "./mod.ts";

const POLICY = { gapBlocks: 2, promptBlocks: 100, answerBlocks: 100, tailTokens: 1 };

function bench(blocks: number, options: Partial<SchedulerOptions> = {}): Bench {
  return new Bench({ snapshotPolicy: POLICY, ...options }, blocks, 5);
}

function numbers(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** What is computed of a request in each of the next steps. */
function counts(on: Bench, id: number, steps: number): number[] {
  return Array.from({ length: steps }, () => on.step()[id]);
}

Deno.test("a prompt's state is kept at its last block's end, and who asks again goes on from there", () => {
  const on = bench(64);
  const tokens = numbers(0, 20);
  on.submit(1, "interactive", 0, { tokens, maxTokens: 2 });
  assertEquals(counts(on, 1, 3), [16, 4, 1]);
  on.submit(2, "interactive", 0, { tokens: [...tokens, 1, 2, 3], maxTokens: 1 });
  const plan = on.plan();
  assertEquals(plan.items.map(({ first, count }) => [first, count]), [[16, 7]]);
  const { read, write } = plan.items[0].state!;
  assert(read !== write, "the snapshot stays as it is");
  on.complete(plan);
  assertEquals([on.scheduler.states!.hits, on.scheduler.states!.lostTokens], [1, 0]);
});

Deno.test("the second prompt that leaves another keeps its state there, the third one finds it", () => {
  const on = bench(200);
  const ask = (id: number, from: number) => {
    on.submit(id, "interactive", 0, { tokens: [...numbers(0, 24), ...numbers(from, 16)], maxTokens: 1 });
    return counts(on, id, 3);
  };
  assertEquals(ask(1, 100), [36, 4, undefined]);
  assertEquals(ask(2, 200), [24, 12, 4]);
  assertEquals(on.scheduler.states!.lostTokens, 24);
  assertEquals(ask(3, 300), [12, 4, undefined]);
  assertEquals(on.scheduler.states, {
    ...{ slotBlocks: 5, used: 4, snapshots: 4, kept: 4 },
    ...{ hits: 1, lostTokens: 24 },
  });
});

Deno.test("where a waiting prompt begins like one before it, that one's state is kept", () => {
  const on = bench(200);
  const ask = (id: number) =>
    on.submit(id, "batch", 0, { tokens: [...numbers(0, 64), ...numbers(100 * id, 20)], maxTokens: 1 });
  ask(1);
  ask(2);
  assertEquals(on.step(), { 1: 64 });
  assertEquals(on.step(), { 1: 16, 2: 16 });
});

Deno.test("a step that came to nothing is repeated where states were only read, else its requests begin again", () => {
  const on = bench(64);
  on.submit(1, "interactive", 0, { tokens: numbers(0, 20), maxTokens: 8 });
  on.step();
  const first = on.plan();
  on.scheduler.abandon(first.step);
  const again = on.plan();
  assertEquals(again.items.map(({ first, count }) => [first, count]), [[16, 4]]);
  on.complete(again);
  const inPlace = on.plan();
  const { read, write } = inPlace.items[0].state!;
  assertEquals([read === write, inPlace.items[0].first], [true, 20]);
  on.scheduler.abandon(inPlace.step);
  const back = on.plan();
  assertEquals(back.items.map(({ first, count }) => [first, count]), [[16, 5]], "from the last snapshot on");
});

Deno.test("a preempted request goes on from its last snapshot", () => {
  // 20 blocks: each has one state and at most 6 blocks for its tokens.
  const on = bench(20, { classes: [INTERACTIVE, { ...BATCH }] });
  on.submit(1, "batch", 0, { tokens: numbers(0, 20), maxTokens: 4 });
  on.step();
  on.step();
  on.submit(2, "interactive", 0, { tokens: numbers(100, 38), maxTokens: 1 });
  const plan = on.plan();
  assertEquals([plan.items.map(({ id }) => id), plan.preempted], [[2], [1]]);
  on.complete(plan);
  while (on.scheduler.stats()[0].running > 0) on.step();
  const back = on.plan();
  assertEquals(back.items.map(({ id }) => id), [1]);
  assert([0, 16].includes(back.items[0].first), `${back.items[0].first}`);
});

Deno.test("a request that fits with its state goes on to its end, whatever snapshots would take", () => {
  // 11 blocks: a state and 24 tokens.
  const on = bench(11, { snapshotPolicy: { ...POLICY, promptBlocks: 1, answerBlocks: 1 } });
  const long = on.submit(1, "interactive", 0, { tokens: numbers(0, 12), maxTokens: 13 });
  assertEquals([long.accepted, long.accepted ? "" : long.reason], [false, "too-long"]);
  assert(on.submit(2, "interactive", 0, { tokens: numbers(0, 12), maxTokens: 12 }).accepted);
  for (let i = 0; on.scheduler.isBusy; i++) {
    assert(i < 40, "it goes on");
    on.step();
  }
});

Deno.test("states of requests that share nothing are not kept", () => {
  const on = bench(64);
  on.submit(1, "interactive", 0, { tokens: numbers(0, 20), maxTokens: 1, sharesPrefix: false });
  assertEquals(on.step(), { 1: 20 });
  assertEquals([on.scheduler.states!.used, on.allocator.freeBlocks], [0, 64]);
});

Deno.test("wrong guesses take a sequence's state back to before them, right ones do not", () => {
  const on = bench(64, { speculation: {} });
  on.warmUp();
  // The bench says 7 for ever.
  const foretold = [7, 7, 7, 9, ...numbers(200, 20)];
  on.submit(1, "interactive", 0, { tokens: numbers(0, 20), maxTokens: 40, foretold });
  const steps: { first: number; end: number; draft: readonly number[] }[] = [];
  for (let i = 0; on.scheduler.isBusy; i++) {
    assert(i < 80, "it goes on");
    const plan = on.plan();
    for (const { first, count, draft, state } of plan.items) {
      steps.push({ first, end: first + count, draft });
      if (draft.length > 0) assert(state!.read !== state!.write, "the state before is there");
    }
    on.complete(plan);
  }
  const isWrong = ({ draft }: { draft: readonly number[] }) => draft.some((token) => token !== 7);
  assert(steps.some(isWrong) && steps.some((step) => step.draft.length > 0 && !isWrong(step)));
  steps.forEach((step, i) => {
    const { first, end, draft } = step;
    if (i + 1 < steps.length) assertEquals(steps[i + 1].first, isWrong(step) ? first : end + draft.length);
  });
});
