import { assert, assertEquals } from "@std/assert";
import { BATCH, Bench, INTERACTIVE } from "./testing/scheduler_bench.ts";
import { KnownOutlook } from "./mod.ts";
import { Playback } from "./playback.ts";

Deno.test("a request that cannot ever fit is refused, and one that fits is never failed", () => {
  const bench = new Bench({}, 4);
  assertEquals(bench.submit(1, "batch", 10, { maxTokens: 7 }), { accepted: false, reason: "too-long" });
  for (let id = 2; id < 8; id++) assert(bench.submit(id, "batch", 9, { maxTokens: 7 }).accepted);
  const ended: number[] = [];
  while (bench.scheduler.isBusy) {
    const plan = bench.plan();
    assert(plan.items.length > 0);
    ended.push(...bench.complete(plan)!);
  }
  assertEquals(ended.toSorted(), [2, 3, 4, 5, 6, 7]);
});

Deno.test("a full queue refuses by requests and by tokens, and says when to come again", () => {
  const bench = new Bench({ classes: [{ ...BATCH, queueLimit: { requests: 2, tokens: 20 } }] });
  assert(bench.submit(1, "batch", 12).accepted);
  const tokens = bench.submit(2, "batch", 12);
  assert(!tokens.accepted && tokens.reason === "queue-full" && tokens.retryAfterMs! > 0);
  assert(bench.submit(3, "batch", 1).accepted);
  const requests = bench.submit(4, "batch", 1);
  assert(!requests.accepted && requests.reason === "queue-full" && requests.retryAfterMs! > 0);
});

Deno.test("a request whose first token would come too late is refused at once", () => {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 200 }, BATCH] }, 1000);
  bench.warmUp();
  const first = bench.submit(1, "interactive", 60);
  assert(first.accepted && Math.abs(first.predictedTtftMs! - 65) < 10);
  assert(bench.submit(2, "interactive", 60).accepted);
  const late = bench.submit(3, "interactive", 120);
  assert(!late.accepted && late.reason === "slo" && late.retryAfterMs! > 0);
  assert(bench.submit(4, "batch", 120).accepted, "a class without an objective waits");
});

Deno.test("a request that would be too late is taken when there is nothing else to do", () => {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 100 }, BATCH] }, 1000);
  bench.warmUp();
  assert(bench.submit(1, "interactive", 400).accepted);
  assert(!bench.submit(2, "interactive", 400).accepted);
});

Deno.test("the time that a request was under way counts for its objective", () => {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 200 }, BATCH] }, 1000);
  bench.warmUp();
  bench.submit(9, "interactive", 1);
  assert(!bench.submit(1, "interactive", 60, { waitedMs: 150 }).accepted);
  assert(bench.submit(2, "interactive", 60, { waitedMs: 100 }).accepted);
});

Deno.test("outlook() forecasts what submit() would predict for further requests", () => {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 10_000, maxBatch: 2 }, BATCH] }, 1000);
  assertEquals(bench.scheduler.outlook(bench.now)[0].forecast, undefined, "nothing is known yet");
  bench.warmUp();
  assertEquals(bench.scheduler.outlook(bench.now)[1].forecast, undefined, "the class promises nothing");
  bench.submit(1, "interactive", 640);
  for (let id = 2; id <= 6; id++) {
    const [{ forecast, ttftSloMs, placesTokens, name, priority, places }] = bench.scheduler.outlook(
      bench.now,
    );
    assertEquals([ttftSloMs, placesTokens], [10_000, 10_000 - 640 * (id - 1)]);
    const playback = new Playback(structuredClone(forecast!));
    const sequence = { context: 640, missing: 640, left: 8, held: 0 };
    playback.add(0, sequence);
    const predicted = playback.msToFirstToken(sequence);
    const taken = bench.submit(id, "interactive", 640);
    assert(taken.accepted && Math.abs(taken.predictedTtftMs! / predicted - 1) < 0.02, `${predicted} ms`);
    // The caller's side says the same.
    const known = new KnownOutlook();
    const outlook = { name, priority, places, placesTokens, forecast, asked: 0 };
    const request = { class: "interactive", tokens: 640, maxTokens: 8 };
    for (const [sloShare, reason] of [[0.87, undefined], [0.93, "slo"]] as const) {
      known.learn([{ ...outlook, ttftSloMs: predicted / sloShare }], 0);
      assertEquals(known.refusalFor(request, 0)?.reason, reason);
    }
  }
});

Deno.test("deadlines refuse what would be late and end what is", () => {
  const bench = new Bench();
  bench.warmUp();
  const never = bench.submit(1, "batch", 60, { deadlineMs: 20 });
  assertEquals(never, { accepted: false, reason: "deadline" });
  assert(bench.submit(2, "batch", 10, { deadlineMs: 40 }).accepted);
  bench.step();
  bench.now += 40;
  assertEquals(bench.plan().expired, [2]);
  assert(!bench.scheduler.isBusy);
});

Deno.test("outlook() tells the room in each queue, and why a request would be refused", () => {
  const queueLimit = { requests: 2, tokens: 10_000 };
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 1000, maxBatch: 1, queueLimit }, BATCH] });
  bench.warmUp();
  const look = () =>
    bench.scheduler.outlook(bench.now).map(({ places, refusal }) => refusal?.reason ?? places);
  assertEquals(look(), [2, 100]);
  bench.submit(1, "interactive", 8);
  bench.step();
  assertEquals(look(), [2, 100]);
  bench.submit(2, "interactive", 8);
  assertEquals(look(), [1, 100]);
  bench.submit(3, "interactive", 8);
  assertEquals(look(), ["queue-full", 100]);
  assertEquals(bench.submit(4, "interactive", 1), {
    accepted: false,
    ...bench.scheduler.outlook(bench.now)[0].refusal!,
  });
});

Deno.test("prompts that begin alike are forecast to find what those before them have computed, if they start later", () => {
  for (const stepTokensMax of [64, 600]) {
    const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 10_000 }, BATCH], stepTokensMax }, 1000);
    bench.warmUp();
    const beginsAlike = Array.from({ length: 256 }, (_, i) => i);
    const predicted = [1, 2, 3, 4, 5].map((id) => {
      const admission = bench.submit(id, "interactive", 0, {
        tokens: [...beginsAlike, 1000 + id],
        maxTokens: 1,
      });
      assert(admission.accepted);
      return bench.now + admission.predictedTtftMs!;
    });
    const actual: number[] = [];
    while (bench.scheduler.isBusy) for (const id of bench.complete(bench.plan())!) actual[id - 1] = bench.now;
    for (const [i, ms] of actual.entries()) {
      assert(Math.abs(ms - predicted[i]) < 0.1 * ms, `${stepTokensMax}: ${predicted} became ${actual}`);
    }
    // Who starts in the same step as another one computes all of it, who comes later does not.
    assert(actual[4] - actual[2] < 0.1 * actual[0], `${actual}`);
  }
});

Deno.test("answers that are cancelled, or end at a deadline, tell that answers become longer", () => {
  const bench = new Bench({ classes: [{ ...INTERACTIVE, ttftSloMs: 10_000 }, BATCH] }, 1000);
  bench.warmUp();
  const median = () => {
    const [{ outputs }] = bench.scheduler.outlook(bench.now)[0].forecast!.classes;
    return outputs.toSorted((a, b) => a - b)[8];
  };
  let id = 0;
  const answer = (end: "stop" | "cancel" | "deadline") => {
    const deadlineMs = end === "deadline" ? 1000 : undefined;
    assert(bench.submit(++id, "interactive", 4, { maxTokens: 1000, deadlineMs }).accepted);
    for (let said = 1; said <= 10; said++) {
      const { step } = bench.plan();
      const isLast = end === "stop" && said === 10;
      bench.scheduler.complete(step, [{ id, token: 7, isLast }], 6, bench.now += 6);
    }
    if (end === "cancel") bench.scheduler.cancel(id);
    bench.now += 1000;
    assertEquals(bench.plan().expired, end === "deadline" ? [id] : []);
  };
  for (let i = 0; i < 60; i++) answer("stop");
  assert(median() <= 12, `${median()}`);
  for (const end of ["cancel", "deadline"] as const) {
    const before = median();
    for (let i = 0; i < 60; i++) answer(end);
    assert(median() > before + 2, `${median()} after ${before}`);
  }
});
