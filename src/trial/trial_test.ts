import { assert, assertEquals } from "@std/assert";
import { type Dimensions, dimensionsFor, type GridBasis, gridPoints } from "./grid.ts";
import { Journal, memoryStore } from "./journal.ts";
import type { TrialObjectives } from "./report_data.ts";
import { FAKE_REQUEST, fakeCapacity, type FakeMachine, FakeMeasurer } from "./testing/fake_measurer.ts";
import { runTrial, type TrialOutcome } from "./trial.ts";

const BASIS: GridBasis = {
  usableCpus: 2,
  nodeCpus: ["0-1"],
  kvFormats: ["f16", "q8_0"],
  hasPatient: false,
  contextLength: 8192,
  kvBytesMax: 4e9,
  kvBytesPerToken: 46_080,
};
const DIMENSIONS: Dimensions = dimensionsFor(BASIS);
const POINTS = gridPoints(DIMENSIONS, BASIS);
const OBJECTIVES: TrialObjectives = {
  share: 0.95,
  classes: [{ class: "interactive", ttftMs: 2000, itlMs: 150, itlStat: "mean", from: "given" }],
};
const MINUTE_MS = 60_000;
/** A tenth of them long. */
const REQUESTS = Array.from({ length: 200 }, (_, i) => ({
  class: "interactive",
  promptTokens: i % 10 === 0 ? 4000 : 300 + i,
  maxTokens: 100,
}));

interface Ran {
  readonly outcome: TrialOutcome;
  readonly journal: Journal;
  readonly store: ReturnType<typeof memoryStore>;
  readonly measurer: FakeMeasurer;
  readonly endMs: number;
}

/** A trial on a fake machine; `text`: a journal to go on from. */
async function run(
  machine: Partial<FakeMachine> = {},
  { text = null, minutes = 10, seed = 1 }: { text?: string | null; minutes?: number; seed?: number } = {},
): Promise<Ran> {
  let nowMs = 0;
  const store = memoryStore(text);
  const measurer = new FakeMeasurer(
    { noise: 0.03, seed: 5, loadSeconds: 1, ...machine },
    (ms) => nowMs += ms,
  );
  const journal = new Journal(store, "a trial", { clock: () => nowMs, now: () => "2026-01-01" });
  const outcome = await runTrial({
    model: "m.gguf",
    objectives: OBJECTIVES,
    dimensions: DIMENSIONS,
    points: POINTS,
    requests: REQUESTS,
    typical: () => FAKE_REQUEST,
    requestsPerUserSecond: 0.01,
    seed,
    untilMs: minutes * MINUTE_MS,
    journal,
    measurer,
    progress: () => {},
  });
  return { outcome, journal, store, measurer, endMs: nowMs };
}

const BEST = Math.max(...POINTS.map(({ settings }) => fakeCapacity(settings)));

Deno.test("runTrial() chooses a point near the best of the grid, within the budget", async () => {
  for (const seed of [1, 2, 3]) {
    const { outcome, journal, endMs } = await run({ noise: 0.02, seed }, { minutes: 20, seed });
    const carries = fakeCapacity(outcome.chosen!.settings);
    assert(carries > 0.93 * BEST, `seed ${seed}: ${carries} of ${BEST}`);
    const found = outcome.chosen!.highestLoad.requestsPerSecond!;
    assert(Math.abs(found / carries - 1) < 0.12, `seed ${seed}: ${found} of ${carries}`);
    assertEquals(outcome.chosen!.highestLoad.users, Math.floor(found / 0.01));
    assert(journal.usedMs <= 20 * MINUTE_MS && endMs <= 20 * MINUTE_MS);
    // No part of the budget is left lying about.
    assert(journal.usedMs > 10 * MINUTE_MS, `${journal.usedMs}`);
    assert(outcome.search.measuredPoints >= 36, `${outcome.search.measuredPoints}`);
  }
});

Deno.test("runTrial() leaves out prompts that are too long even alone, in all of its runs", async () => {
  const alone = [{ promptTokens: 400, ttftMs: 200 }, { promptTokens: 2000, ttftMs: 1000 }];
  const { outcome, measurer } = await run({ alone });
  assertEquals(outcome.promptLimits.map(({ tokens, share }) => [tokens, share]), [[2000, 0.1]]);
  assert(measurer.wishes.every(({ promptLimits }) => promptLimits?.[0].tokens === 2000));
  const found = outcome.chosen!.highestLoad;
  // Users send long prompts, too: of what each sends a part is carried here.
  assertEquals(found.users, Math.floor(found.requestsPerSecond! / (0.01 * 0.9)));
});

Deno.test("runTrial() has the same plan for the same seed", async () => {
  const [one, two, other] = [await run(), await run(), await run({}, { seed: 2 })];
  assertEquals(one.store.text, two.store.text);
  assert(one.store.text !== other.store.text);
});

Deno.test("runTrial() chooses the same after an interruption anywhere", async () => {
  const whole = await run();
  const text = whole.store.text!;
  const ends = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
  for (const [i, end] of ends.entries()) {
    // Killed between two lines, and within the next one.
    for (const cutAt of [end, Math.min(text.length, end + 25)]) {
      const resumed = await replay(text.slice(0, cutAt), whole);
      assertEquals(resumed.outcome, whole.outcome, `after line ${i + 1}`);
      // Nothing that was found is measured again.
      assert(resumed.measurer.wishes.length <= whole.measurer.wishes.length - Math.max(0, i - 1));
    }
  }
});

/** Goes on from a journal, on a machine that gives the values that an undisturbed trial had. */
async function replay(text: string, whole: Ran): Promise<Ran> {
  const values = new Map<string, { value: unknown; usedMs: number }>();
  for (const line of whole.store.text!.split("\n").filter(Boolean)) {
    const { key, value, usedMs } = JSON.parse(line);
    if (key !== undefined) values.set(key, { value, usedMs });
  }
  const store = memoryStore(text);
  let nowMs = 5e9;
  const journal = new Journal(store, "a trial", { clock: () => nowMs, now: () => "2026-01-02" });
  const measurer = new FakeMeasurer({ noise: 0, seed: 0, loadSeconds: 0 }, () => {});
  const step = journal.step.bind(journal);
  journal.step = <T>(key: string, find: () => Promise<T> | T) =>
    step<T>(key, async () => {
      await find();
      nowMs += values.get(key)!.usedMs - journal.usedMs;
      return values.get(key)!.value as T;
    });
  const outcome = await runTrial({
    model: "m.gguf",
    objectives: OBJECTIVES,
    dimensions: DIMENSIONS,
    points: POINTS,
    requests: REQUESTS,
    typical: () => FAKE_REQUEST,
    requestsPerUserSecond: 0.01,
    seed: 1,
    untilMs: 10 * MINUTE_MS,
    journal,
    measurer,
    progress: () => {},
  });
  return { outcome, journal, store, measurer, endMs: nowMs };
}

Deno.test("runTrial() says that a machine is noisy, and chooses all the same", async () => {
  const noisy = await run({ noise: 0.25 });
  assert(noisy.outcome.noise.isNoisy, JSON.stringify(noisy.outcome.noise));
  assert(noisy.outcome.chosen !== null);
  const calm = await run({ noise: 0.01 });
  assert(!calm.outcome.noise.isNoisy, JSON.stringify(calm.outcome.noise));
});

Deno.test("runTrial() leaves out points whose servers do not start", async () => {
  const { outcome } = await run({ fails: ({ workers }) => workers > 1 });
  assertEquals(outcome.chosen!.settings.workers, 1);
  const failed = outcome.search.points.filter((point) => point.outcome === "failed");
  assert(failed.length > 0 && failed.every(({ problem }) => problem === "no memory"));
});

Deno.test("runTrial() ends in time with a slow model, on fewer points", async () => {
  for (const minutes of [1, 3, 10]) {
    const { outcome, endMs } = await run({ loadSeconds: 9 }, { minutes });
    assert(endMs <= minutes * MINUTE_MS, `${endMs / MINUTE_MS} of ${minutes} minutes`);
    assert(outcome.search.measuredPoints >= 1);
  }
});

Deno.test("runTrial() finds no load where nothing keeps the objectives", async () => {
  const { outcome } = await run({ carries: () => 1e-9 });
  assertEquals(outcome.chosen!.highestLoad.requestsPerSecond, null);
  assertEquals(outcome.chosen!.highestLoad.users, null);
});
