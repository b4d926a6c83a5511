import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseClasses, poissonArrivals } from "./arrivals.ts";

const CLASSES = parseClasses("interactive:0.75:64/32,batch:0.25:512/128");

Deno.test("parseClasses() reads names, shares and lengths", () => {
  assertEquals(CLASSES, [
    { name: "interactive", share: 0.75, promptTokens: 64, maxTokens: 32 },
    { name: "batch", share: 0.25, promptTokens: 512, maxTokens: 128 },
  ]);
  assertEquals(parseClasses("a:1"), [{ name: "a", share: 1 }]);
  for (const bad of ["", "a", "a:x", "a:0:1/1", "a:1:64", "a:1:64/64/3", "a:1,,b:1"]) {
    assertThrows(() => parseClasses(bad), RangeError, "class");
  }
});

Deno.test("poissonArrivals() keeps the rate and the shares, and is the same for a seed", () => {
  const options = { perSecond: 50, seconds: 200, seed: 3 };
  const arrivals = poissonArrivals(CLASSES, options);
  assert(Math.abs(arrivals.length - 10_000) < 400, `${arrivals.length} arrivals`); // 4 standard deviations
  const gaps = arrivals.map(({ atMs }, i) => atMs - (arrivals[i - 1]?.atMs ?? 0));
  assert(gaps.every((gap) => gap > 0));
  // Of an exponential distribution, 1/e of the gaps is longer than the mean.
  assertAlmostEquals(gaps.filter((gap) => gap > 20).length / gaps.length, Math.exp(-1), 0.02);
  const batch = arrivals.filter((arrival) => arrival.class === "batch");
  assertAlmostEquals(batch.length / arrivals.length, 0.25, 0.02);
  assert(batch.every(({ promptTokens, maxTokens }) => promptTokens === 512 && maxTokens === 128));
  assertEquals(poissonArrivals(CLASSES, options), arrivals);
  assert(poissonArrivals(CLASSES, { ...options, seed: 7 })[0].atMs !== arrivals[0].atMs);
  assertThrows(() => poissonArrivals(parseClasses("a:1"), options), RangeError, "needs lengths");
});

Deno.test("poissonArrivals() keeps the rate from the beginning on, with small seeds, too", () => {
  const counts = Array.from(
    { length: 200 },
    (_, seed) => poissonArrivals(CLASSES, { perSecond: 1, seconds: 10, seed }).length,
  );
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  // The standard error is 0.22.
  assert(Math.abs(mean - 10) < 1, `${mean} arrivals in 10 s`);
});
