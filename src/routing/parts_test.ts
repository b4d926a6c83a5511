import { assert, assertEquals, assertThrows } from "@std/assert";
import { mayGo, strictest } from "./data_label.ts";
import { Pace } from "./pace.ts";
import { isPlausible, roughTokens } from "./rough_tokens.ts";
import { checkRouting, checkRuleClasses, type RoutingRules } from "./rules.ts";
import { costOf, Spending } from "./spending.ts";
import { TrafficSide } from "./traffic_side.ts";

Deno.test("strictest() and mayGo() never let what is private go", () => {
  assertEquals(strictest(["public", undefined, "private", "internal"]), "private");
  assertEquals([strictest([undefined, "public"]), strictest([undefined])], ["public", undefined]);
  const allowed = (["public", "internal", "private"] as const).map((label) =>
    (["public", "internal"] as const).map((clearance) => mayGo(label, clearance))
  );
  assertEquals(allowed, [[true, true], [false, true], [false, false]]);
});

Deno.test("Spending counts the last hour and day, and what is under way", () => {
  const HOUR = 3_600_000;
  const spending = new Spending();
  const spend = (cost: number, now: number) => spending.settle(spending.reserve(0), cost, now);
  spend(1, 0);
  spend(2, 2 * HOUR);
  assertEquals([spending.lastHour(2 * HOUR), spending.lastDay(2 * HOUR), spending.total], [2, 3, 3]);
  assertEquals([spending.lastHour(3 * HOUR), spending.lastDay(24 * HOUR)], [0, 2]);
  const now = 24 * HOUR;
  assert(spending.allows(8, { perDay: 10 }, now) && !spending.allows(8.1, { perDay: 10 }, now));
  const kept = spending.reserve(5);
  assert(spending.allows(3, { perHour: 8 }, now) && !spending.allows(3.1, { perHour: 8 }, now));
  spending.settle(kept, 1, now);
  spending.settle(kept, 0, now);
  assertEquals([spending.lastHour(now), spending.allows(7, { perHour: 8 }, now)], [1, true]);
  assertEquals(costOf({ promptPerMillion: 2, answerPerMillion: 10 }, 1000, 100), 0.003);
});

Deno.test("Pace fits first tokens to the length of prompts, and fades", () => {
  const pace = new Pace();
  assertEquals(pace.expect(100, 0), undefined);
  for (let i = 0; i < 30; i++) pace.note(100 * (i % 10), 50 + 0.2 * 100 * (i % 10), 0);
  const close = (tokens: number, ms: number, now = 0) => {
    const expected = pace.expect(tokens, now)!;
    assert(Math.abs(expected - ms) < 0.02 * ms, `${tokens} tokens: ${expected} ms instead of ${ms}`);
  };
  close(0, 50);
  close(500, 150);
  close(5000, 1050);
  close(500, 75, 60_000);
  assertEquals(pace.expect(500, 1e6), undefined);
});

Deno.test("Pace takes a longer prompt for none that is faster, and no time for less than none", () => {
  const pace = new Pace();
  pace.note(1000, 10, 0);
  pace.note(10, 1000, 0);
  assert(pace.expect(5000, 0)! >= pace.expect(10, 0)!);
  const flat = new Pace();
  flat.note(100, 100, 0);
  flat.note(200, 300, 0);
  assert(flat.expect(0, 0)! >= 0);
});

Deno.test("roughTokens() is near what tokenizers say, and isPlausible() leaves room for them", () => {
  assertEquals(roughTokens("a".repeat(400)), 100);
  assert(roughTokens("こんにちは世界") > 4);
  assert(isPlausible(100, 100) && isPlausible(250, 100) && isPlausible(40, 100) && isPlausible(1, 1));
  assert(!isPlausible(1000, 100) && !isPlausible(0, 100) && !isPlausible(0, 30));
});

const LIMITS = { waitMs: 1000, margin: 0.2, holdMs: 5000 };

Deno.test("TrafficSide.overflow() leaves when it takes too long, and comes back only when that is over", () => {
  const side = new TrafficSide();
  const at = (hereMs: number, now: number, thereMs = 300) =>
    [side.overflow({ hereMs, thereMs, isHereClosed: false }, LIMITS, now), side.isAway] as const;
  assertEquals(at(900, 0), ["soon", false]);
  assertEquals(at(1100, 1), ["late", true]);
  assertEquals(at(100, 2), ["held", true]);
  assertEquals(at(600, 10_000), ["held", true]);
  assertEquals(at(400, 10_000), ["soon", false]);
  assertEquals(at(2000, 10_001, 1900), ["slower", false]);
  assertEquals(at(2000, 10_001), ["late", true]);
  assertEquals(at(2000, 20_000, 9000), ["slower", false]);
});

Deno.test("TrafficSide goes at once where it cannot be answered here", () => {
  for (const way of ["overflow", "fastest"] as const) {
    const side = new TrafficSide();
    assertEquals(side[way]({ hereMs: 1, thereMs: 9000, isHereClosed: true }, LIMITS, 0), "closed");
    assert(side.isAway);
  }
});

Deno.test("TrafficSide.fastest() moves by a margin and tries what is not known", () => {
  const side = new TrafficSide();
  const at = (hereMs: number, thereMs: number | undefined, now: number) =>
    [side.fastest({ hereMs, thereMs, isHereClosed: false }, LIMITS, now), side.isAway] as const;
  assertEquals(at(100, 90, 0), ["held", false]);
  assertEquals(at(100, 70, 0), ["faster", true]);
  assertEquals(at(10, 70, 1), ["held", true]);
  assertEquals(at(10, 70, 6000), ["soon", false]);
  assertEquals(
    at(1200, 70, 6001),
    ["faster", true],
    "it would be too late: it does not stay for its own sake",
  );
  assertEquals(at(10, 70, 12_000), ["soon", false]);
  assertEquals(at(100, undefined, 20_000), ["faster", true]);
});

Deno.test("TrafficSide does not flap while the wait goes up and down around the limit", () => {
  const side = new TrafficSide();
  let moves = 0, was = false;
  for (let now = 0; now < 60_000; now += 100) {
    const hereMs = now / 100 % 2 === 0 ? 1200 : 200;
    side.overflow({ hereMs, thereMs: 100, isHereClosed: false }, LIMITS, now);
    if (side.isAway !== was) moves++;
    was = side.isAway;
  }
  assert(moves <= 24, `${moves} moves in a minute, of 600 requests`);
});

Deno.test("checkRouting() names what cannot be", () => {
  const gpu = { name: "gpu", models: [{ name: "m" }], data: "public" } as const;
  const problem = (rules: Partial<RoutingRules>) =>
    assertThrows(() => checkRouting({ upstreams: [gpu], ...rules }), RangeError).message;
  checkRouting({ upstreams: [gpu], rules: [{ upstreams: ["gpu"], way: "there" }] });
  assertEquals(problem({ upstreams: [gpu, gpu] }), 'Two upstreams are called "gpu"');
  assert(problem({ upstreams: [{ ...gpu, name: "here" }] }).endsWith('current value is "here"'));
  assert(problem({ upstreams: [{ ...gpu, name: "a b" }] }).endsWith('current value is "a b"'));
  assertEquals(problem({ upstreams: [{ ...gpu, models: [] }] }), 'Upstream "gpu" has no models');
  assertEquals(
    problem({ upstreams: [{ ...gpu, data: "private" as "public" }] }),
    'Upstream "gpu": "data" must be one of public, internal, current value is private; what is private never leaves',
  );
  assertEquals(
    problem({ upstreams: [{ ...gpu, caps: { perDay: -1 } }] }),
    'Upstream "gpu": "perDay" must be at least 0, current value is -1',
  );
  assertEquals(
    problem({ upstreams: [{ ...gpu, caps: { perDay: 1 } }] }),
    'Upstream "gpu": "caps" need a "price"',
  );
  assertEquals(problem({ caps: { perDay: 1 } }), 'routing: "caps" need a "price"');
  assertEquals(problem({ rules: [{ models: ["m", "n"] }] }), 'rules[0]: no upstream has a model "n"');
  assertEquals(
    problem({ rules: [{ promptTokensMin: 100, promptTokensMax: 1 }] }),
    'rules[0]: "promptTokensMin" must be at most "promptTokensMax", current values are 100 and 1',
  );
  assertThrows(
    () => checkRuleClasses({ rules: [{ classes: ["a"] }, { classes: ["b"] }] }, new Set("a")),
    RangeError,
    'rules[1]: there is no class "b"; there is a',
  );
  assertEquals(
    problem({ upstreams: [{ ...gpu, capacity: 0 }] }),
    'Upstream "gpu": "capacity" must be a positive integer, current value is 0',
  );
  assertEquals(problem({ rules: [{ upstreams: ["gpv"] }] }), 'rules[0]: there is no upstream "gpv"');
  assert(problem({ rules: [{}, { way: "away" as "here" }] }).startsWith('rules[1]: "way" must be one of'));
  assertEquals(problem({ margin: NaN }), 'routing: "margin" must be at least 0, current value is NaN');
});
