/**
 * Requests that are given up at any moment leave nothing behind: `deno task run tests/cancel_test.ts 10000`
 * is the long run.
 */
import { assert, assertEquals } from "@std/assert";
import { loadModel, type Model } from "../mod.ts";
import { numbersFrom } from "./support/numbers.ts";

/** Ways to give a request up, by how many of its tokens have come. */
const GIVE_UP_AT = [0, 0, 1, 3, 10, 40];

/** Starts `count` requests, 40 at a time, and gives most of them up; returns by why they ended. */
async function giveUp(model: Model, count: number, seed: number): Promise<Map<string, number>> {
  const next = numbersFrom(seed);
  const reasons = new Map<string, number>();
  let started = 0;
  const lane = async () => {
    while (started < count) {
      started++;
      const controller = new AbortController();
      const at = GIVE_UP_AT[next(GIVE_UP_AT.length)];
      const prompt = Array.from({ length: 1 + next(150) }, () => next(model.info.vocab));
      let tokens = 0;
      const { result } = model.generate(prompt, {
        maxTokens: 1 + next(60),
        class: next(3) === 0 ? "batch" : "interactive",
        ignoreEnd: true,
        signal: controller.signal,
        onTokens: (ids) => {
          tokens += ids.length;
          if (at > 0 && tokens >= at) controller.abort();
        },
      });
      // Before it is known to the worker, while it waits, or while its prompt is computed.
      if (at === 0) setTimeout(() => controller.abort(), next(12));
      const { finishReason } = await result;
      reasons.set(finishReason, (reasons.get(finishReason) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 40 }, lane));
  return reasons;
}

async function measure(count: number): Promise<Map<string, number>> {
  await using model = await loadModel("demo", {
    workers: 2,
    threads: 1,
    contextLength: 256,
    kvTokens: 1024,
    batchTokensMax: 64,
  });
  const before = await model.tokenize("a");
  const reasons = await giveUp(model, count, 3);
  const { workers } = await model.stats();
  for (const { kv, classes } of workers) {
    assertEquals([kv.sequences, kv.allocatedBytes], [0, kv.cachedBytes], "KV blocks were not freed");
    for (const { waiting, running } of classes) assertEquals([waiting, running], [0, 0]);
  }
  assertEquals(await model.tokenize("a"), before);
  const { finishReason } = await model.generate([1, 2, 3], { maxTokens: 2, ignoreEnd: true }).result;
  assertEquals(finishReason, "length");
  return reasons;
}

Deno.test("requests that are given up at any moment leave no KV blocks behind", async () => {
  const reasons = await measure(300);
  assert((reasons.get("abort") ?? 0) > 100 && (reasons.get("length") ?? 0) > 20, `${[...reasons]}`);
});

if (import.meta.main && Deno.args.length > 0) {
  const startedAt = performance.now();
  const reasons = await measure(Number(Deno.args[0]));
  console.log(Object.fromEntries(reasons), `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}
