import { assertEquals } from "@std/assert";
import { findRate } from "./find_rate.ts";
import { ascending, quantile } from "./quantile.ts";
import { newRecord, type Outcome, type RequestRecord } from "./send.ts";
import { isGood, summarize } from "./summary.ts";

function record(sentMs: number, partsMs: number[], more: Partial<RequestRecord> = {}): RequestRecord {
  return {
    ...newRecord({ class: "a", atMs: sentMs }, sentMs),
    outcome: "ok",
    status: 200,
    partsMs,
    endMs: partsMs.at(-1) ?? sentMs,
    promptTokens: 10,
    completionTokens: partsMs.length,
    ...more,
  };
}

Deno.test("quantile() gives values that are there", () => {
  const values = ascending([5, 1, 4, 2, 3, 10, 9, 8, 7, 6]);
  assertEquals([0, 0.5, 0.9, 0.91, 0.99, 1].map((q) => quantile(values, q)), [1, 5, 9, 10, 10, 10]);
  assertEquals([quantile([7], 0.01), quantile([7], 0.99), quantile([], 0.5)], [7, 7, NaN]);
});

Deno.test("summarize() counts from when a request was sent, and all outcomes", () => {
  const failures = (["refused", "failed", "skipped", "cut"] as Outcome[]).map((outcome) =>
    record(1000, [], { outcome, status: 429, problem: "too many", class: "b" })
  );
  const summary = summarize(
    [
      record(100, [150, 170, 190]),
      { ...record(500, [700, 730]), dueMs: 490 },
      record(900, [1000], { endMs: 2000, completionTokens: 4, cachedTokens: 5 }),
      ...failures,
    ],
    { ttftMs: 100, itlMs: 25, itlStat: "mean" },
  );
  const [a, b] = summary.classes;
  assertEquals(a.ttftMs, { p50: 100, p90: 200, p99: 200 });
  assertEquals(a.itlMs, { p50: 20, p90: 30, p99: 30 });
  assertEquals(a.e2eMs, { p50: 230, p90: 1100, p99: 1100 });
  assertEquals([summary.seconds, a.promptTokens, a.completionTokens, a.cachedTokens], [2, 30, 9, 5]);
  assertEquals([a.completionTokensPerSecond, a.good, a.goodPerSecond], [4.5, 2, 1]);
  assertEquals(b.outcomes, { ok: 0, refused: 1, failed: 1, cut: 1, skipped: 1 });
  assertEquals(b.ttftMs, { p50: null, p90: null, p99: null });
  // Six of the seven are judged: what was cut off might have been good.
  assertEquals([summary.all.goodShare, b.goodShare], [2 / 6, 0]);
  assertEquals(summary.problems, [{ status: 429, problem: "too many", count: 2 }]);
  assertEquals([summary.lagMs.p99, summary.lagMs.p50, summary.severalTokensInAPart], [10, 0, 1]);
});

Deno.test("isGood() holds the mean or the 95th percentile of an answer's times against the objective", () => {
  const stutters = record(0, [10, 20, 30, 40, 100]);
  assertEquals(isGood(stutters, { itlMs: 25, itlStat: "mean" }), true);
  assertEquals(isGood(stutters, { itlMs: 25, itlStat: "p95" }), false);
  assertEquals(isGood(stutters, { ttftMs: 9, itlStat: "mean" }), false);
  assertEquals(isGood(record(0, [10, 90], { completionTokens: 9 }), { itlMs: 10, itlStat: "mean" }), true);
  assertEquals(isGood(record(0, [10]), { itlMs: 1, itlStat: "p95" }), true);
  assertEquals(isGood({ ...stutters, outcome: "failed" }, { itlStat: "mean" }), false);
});

Deno.test("findRate() comes as near as it is told to the rate that is just kept", async () => {
  const options = { share: 0.95, precision: 0.05, min: 0.01, max: 1000 };
  for (const [capacity, start] of [[7, 1], [7, 100], [7, 7], [0.02, 1], [900, 1]]) {
    const measured: number[] = [];
    const { perSecond, above, tries } = await findRate((rate) => {
      measured.push(rate);
      return Promise.resolve(rate <= capacity ? 0.97 : 0.5);
    }, { ...options, start });
    assertEquals(
      perSecond! <= capacity && above! > capacity && above! / perSecond! <= 1.05,
      true,
      `${capacity}`,
    );
    assertEquals(tries.map((each) => each.perSecond), measured);
    assertEquals(measured.length < 20, true, `${measured.length} tries`);
  }
  const all = await findRate(() => Promise.resolve(1), { ...options, start: 1 });
  assertEquals([all.perSecond, all.above], [1000, null]);
  const none = await findRate(() => Promise.resolve(0), { ...options, start: 1 });
  assertEquals([none.perSecond, none.above], [null, 0.01]);
});
