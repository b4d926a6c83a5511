import { assert, assertEquals } from "@std/assert";
import { MemoryAllocator } from "./memory_allocator.ts";
import { type LatencyClass, Scheduler } from "./mod.ts";
import { Playback, type PlayedSequence } from "./playback.ts";

const A = 4, B = 0.5, C = 0.002;
const BLOCK_TOKENS = 4;
const CLASS: LatencyClass = {
  ...{ name: "urgent", priority: 10, maxBatch: 8, maxWaitMs: 0, itlSloMs: 100, ttftSloMs: 1e9 },
  ...{ queueLimit: { requests: 1000, tokens: 1e6 }, preemptible: false },
};
const BULK: LatencyClass = {
  ...CLASS,
  ...{ name: "bulk", priority: 0, itlSloMs: undefined, ttftSloMs: undefined, preemptible: true },
};

/**
 * A scheduler whose steps take exactly as long as its model says, and what it predicts beside what happens.
 */
class Bench {
  readonly #scheduler: Scheduler;
  #now = 0;
  #words = 0;
  #ids = 0;
  /** When first tokens were said to come, and when they came, by id. */
  readonly #predicted = new Map<number, number>();
  readonly #firstAt = new Map<number, number>();

  constructor({ blocks = 100_000 }: { blocks?: number } = {}) {
    this.#scheduler = new Scheduler({
      allocator: new MemoryAllocator(blocks),
      blockTokens: BLOCK_TOKENS,
      stepTokensMax: 256,
      stepSequencesMax: 16,
      classes: [CLASS, BULK],
    });
    for (let i = 0; i < 40; i++) {
      this.submit(1 + 37 * i % 200, 1 + 7 * i);
      this.run();
    }
  }

  text(length: number): number[] {
    return Array.from({ length }, () => ++this.#words);
  }

  submit(prompt: number | number[], maxTokens: number, name = "urgent"): void {
    const tokens = typeof prompt === "number" ? this.text(prompt) : prompt;
    const id = ++this.#ids;
    const admission = this.#scheduler.submit({ id, class: name, tokens, maxTokens }, this.#now);
    assert(admission.accepted);
    this.#predicted.set(id, this.#now + (admission.predictedTtftMs ?? 0));
  }

  step(): void {
    const plan = this.#scheduler.plan(this.#now);
    const { tokens, kv } = plan.load;
    const ms = A + B * tokens + C * kv;
    this.#now += ms;
    const results = plan.items.filter(({ reachesEnd }) => reachesEnd).map(({ id }) => ({ id, token: 1 }));
    this.#scheduler.complete(plan.step, results, ms, this.#now);
    for (const { id } of results) if (!this.#firstAt.has(id)) this.#firstAt.set(id, this.#now);
  }

  /** To the end of all that was sent. */
  run(): void {
    while (this.#scheduler.isBusy) this.step();
  }

  /**
   * Runs to the end: the first token of what was sent last has to come when it was said, within a share of
   * the wait.
   */
  check(within: number): void {
    const began = this.#now, last = this.#ids;
    const said = this.#predicted.get(last)! - began;
    while (!this.#firstAt.has(last)) this.step();
    const actual = this.#firstAt.get(last)! - began;
    const what = `request ${last}: ${said.toFixed(0)} ms said, ${actual.toFixed(0)} ms taken`;
    assert(Math.abs(said / actual - 1) < within, what);
  }
}

/** Bursts of each of these sizes: who comes later changes when those before it have their first tokens. */
const BURSTS = [1, 4, 16, 40];

Deno.test("first tokens come as played: a burst beside one user", () => {
  for (const size of BURSTS) {
    const bench = new Bench();
    bench.submit(24, 200);
    for (let i = 0; i < 20; i++) bench.step();
    for (let i = 0; i < size; i++) bench.submit(24, 16);
    bench.check(0.05);
  }
});

Deno.test("first tokens come as played: a long prompt in chunks, whose attention grows", () => {
  for (const behind of [0, 400, 1200]) {
    const bench = new Bench();
    bench.submit(4000, 4);
    if (behind > 0) bench.submit(behind, 4);
    bench.check(0.05);
  }
});

Deno.test("first tokens come as played: long prompts beside answers", () => {
  for (const size of BURSTS) {
    const bench = new Bench();
    for (let i = 0; i < 4; i++) bench.submit(100, 400);
    for (let i = 0; i < 20; i++) bench.step();
    for (let i = 0; i < size; i++) bench.submit(i % 4 === 0 ? 1500 : 60, 20);
    bench.check(0.05);
  }
});

Deno.test("first tokens come as played: prompts that share a prefix, with few KV blocks", () => {
  for (const size of BURSTS) {
    const bench = new Bench({ blocks: 200 });
    const prefix = bench.text(400);
    bench.submit([...prefix, ...bench.text(20)], 2);
    bench.run();
    bench.submit([...prefix, ...bench.text(20)], 150);
    for (let i = 0; i < 20; i++) bench.step();
    for (let i = 0; i < size; i++) bench.submit([...prefix, ...bench.text(40)], 60);
    bench.check(0.08);
  }
});

Deno.test("first tokens come as played: urgent requests that take the room of others", () => {
  for (const size of BURSTS) {
    const bench = new Bench({ blocks: 300 });
    for (let i = 0; i < 4; i++) bench.submit(200, 60, "bulk");
    for (let i = 0; i < 20; i++) bench.step();
    for (let i = 0; i < size; i++) bench.submit(300, 20);
    bench.check(0.05);
  }
});

Deno.test("what is too far away to be played has its first token never, and not soon", () => {
  const sequence = (): PlayedSequence => ({ context: 10, missing: 10, left: 10, held: 0 });
  const ms = (before: number) => {
    const waiting = Array.from({ length: before }, sequence);
    const playback = new Playback({
      classes: [{
        ...{ config: { ...CLASS, maxBatch: 1 }, running: [], waiting, more: 0, opensAtMs: 0, outputs: [10] },
      }],
      ...{
        atMs: 0,
        roomTokens: 1e9,
        blockTokens: 1,
        stateTokens: 0,
        coefficients: [A, B, 0],
        overrun: 1,
        stretch: 1,
      },
      ...{ between: [0, 0], pace: 1, tokensMax: 100, itemsMax: 8 },
    });
    const last = sequence();
    playback.add(0, last);
    return playback.msToFirstToken(last);
  };
  const each = A + 10 * B + 9 * (A + B);
  assertEquals(ms(100), 100 * each + A + 10 * B);
  assertEquals(ms(30_000), Infinity);
});

Deno.test("steps that take longer than planned, and gaps between them, delay first tokens", () => {
  const ms = (stretch: number, between: [number, number]) => {
    const sequence = { context: 30, missing: 30, left: 1, held: 0 };
    const playback = new Playback({
      classes: [{
        ...{ config: CLASS, running: [], waiting: [sequence], more: 0, opensAtMs: 0, outputs: [1] },
      }],
      ...{
        atMs: 0,
        roomTokens: 1e9,
        blockTokens: 1,
        stateTokens: 0,
        coefficients: [A, B, 0],
        overrun: 1,
        stretch,
        between,
      },
      ...{ pace: 1, tokensMax: 10, itemsMax: 8 },
    });
    return playback.msToFirstToken(sequence);
  };
  assertEquals([ms(1, [0, 0]), ms(2, [0, 0]), ms(1, [3, 2])], [27, 54, 27 + 3 * 5]);
});
