import { assert, assertEquals } from "@std/assert";
import { type Arrival, parseClasses, poissonArrivals } from "../loadtest/arrivals.ts";
import { ascending, quantile } from "../loadtest/quantile.ts";
import type { SimulatedServer } from "./simulate.ts";
import { type RoutedRecord, simulatedRules, simulateRoutes } from "./simulate_routes.ts";

const CPU: SimulatedServer = {
  step: { fixedMs: 20, msPerToken: 1, msPerKvEntry: 0, relativeError: 0.05, requestMs: 1, tokenMs: 1 },
  workers: 1,
  batchTokensMax: 512,
  sequencesMax: 32,
  kvTokens: 32_768,
  prefixCache: true,
};
const GPU: SimulatedServer = {
  ...CPU,
  step: { fixedMs: 10, msPerToken: 0.1, msPerKvEntry: 0, relativeError: 0.05, requestMs: 100, tokenMs: 20 },
};
const PRICE = { promptPerMillion: 100, answerPerMillion: 400 };
const UPSTREAM = { name: "gpu", price: PRICE };

/** Twice what the machine here carries for a while in the middle. */
function load(seed: number): Arrival[] {
  const classes = parseClasses("interactive:0.7:300/60,batch:0.3:600/80");
  const part = (perSecond: number, fromS: number, seconds: number) =>
    poissonArrivals(classes, { perSecond, seconds, seed: seed + fromS }).map((each) => ({
      ...each,
      atMs: each.atMs + 1000 * fromS,
    }));
  return [...part(0.3, 0, 120), ...part(4, 120, 60), ...part(0.3, 180, 60)];
}

const cost = (records: readonly RoutedRecord[]) => records.reduce((sum, record) => sum + record.cost, 0);
const away = (records: readonly RoutedRecord[]) => records.filter(({ place }) => place !== "here").length;
function p99(records: readonly RoutedRecord[], name = "interactive"): number {
  const times = records.filter((record) => record.class === name && record.partsMs.length > 0)
    .map(({ partsMs, sentMs }) => partsMs[0] - sentMs);
  return quantile(ascending(times), 0.99);
}

Deno.test("simulateRoutes() answers all under a load that is too much for the machine here, for a part of the cost", () => {
  for (const seed of [1, 2]) {
    const arrivals = load(seed);
    const run = (rules: Parameters<typeof simulatedRules>[1]) =>
      simulateRoutes(arrivals, { here: CPU, there: GPU, rules: simulatedRules(UPSTREAM, rules), seed });
    const here = run({ way: "here" }), there = run({ way: "there" });
    const routed = run({ rules: [{ classes: ["interactive"], waitMs: 1500 }], holdMs: 2000 });
    assertEquals([away(here), cost(here), away(there)], [0, 0, arrivals.length]);
    assertEquals(routed.filter(({ outcome }) => outcome !== "ok").length, 0);
    assert(p99(routed) < p99(here) / 2, `${p99(routed)} ms, alone ${p99(here)}`);
    assert(cost(routed) < 0.6 * cost(there), `${cost(routed)} of ${cost(there)}`);
    const quiet = routed.filter(({ dueMs }) => dueMs < 100_000);
    assert(away(quiet) < 0.1 * quiet.length, `${away(quiet)} of ${quiet.length} left without need`);
  }
});

Deno.test("simulateRoutes() keeps to a cap, and says nothing twice", () => {
  const arrivals = load(5);
  const all = simulateRoutes(arrivals, {
    here: CPU,
    there: GPU,
    rules: simulatedRules(UPSTREAM, { way: "there" }),
  });
  const perHour = cost(all) / 4;
  const rules = simulatedRules({ ...UPSTREAM, caps: { perHour } }, { way: "there" });
  const capped = simulateRoutes(arrivals, { here: CPU, there: GPU, rules });
  assert(cost(capped) <= perHour && cost(capped) > 0.9 * perHour, `${cost(capped)} of ${perHour}`);
  for (const [i, record] of capped.entries()) {
    if (record.outcome === "ok") assertEquals(record.partsMs.length, arrivals[i].maxTokens);
    assertEquals(record.partsMs, record.partsMs.toSorted((a, b) => a - b));
  }
});

Deno.test("simulateRoutes() does not flap: traffic moves no more often than it is held", () => {
  const arrivals = load(7);
  const holdMs = 5000;
  const routed = simulateRoutes(arrivals, {
    here: CPU,
    there: GPU,
    rules: simulatedRules(UPSTREAM, { waitMs: 1500, holdMs }),
  });
  const urgent = routed.filter((record) => record.class === "interactive");
  const moves = urgent.filter(({ place }, i) => i > 0 && place !== urgent[i - 1].place).length;
  const lastMs = urgent.at(-1)!.dueMs;
  assert(away(urgent) > 20 && moves <= 2 * lastMs / holdMs, `${moves} moves in ${lastMs} ms`);
});
