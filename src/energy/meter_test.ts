import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { meteredEnergy, readMeter } from "./meter.ts";

const T = Date.parse("2026-03-01T12:00:00Z");
/** 100 W, rising to 200 W within ten seconds, then steady. */
const CSV = "Time,Voltage,Power (W)\n2026-03-01 12:00:00,230,100\n2026-03-01T12:00:10Z,230,200\n" +
  '"2026-03-01T13:00:20+01:00",230,200\n';

Deno.test("meteredEnergy() integrates what a meter wrote, within the borders of the window", () => {
  const readings = readMeter(CSV);
  assertEquals(readings.map(({ atMs, watts }) => [atMs - T, watts]), [[0, 100], [10_000, 200], [
    20_000,
    200,
  ]]);
  const all = meteredEnergy(readings, { fromMs: T, toMs: T + 20_000, idleWatts: 50 });
  assert(all.kind === "measured");
  // 150 W for 10 s, 200 W for 10 s; 1000 J of them idle.
  assertEquals([all.grossJoules, all.idleSubtractedJoules as number, all.meanWatts], [3500, 2500, 175]);
  assertEquals([all.source, all.domains], ["meter", ["meter"]]);
  // From 140 W to 200 W in 6 s, then 3 s of 200 W.
  const part = meteredEnergy(readings, { fromMs: T + 4000, toMs: T + 13_000, idleWatts: null });
  assert(part.kind === "measured");
  assertAlmostEquals(part.grossJoules, 6 * 170 + 3 * 200, 1e-9);
  assertEquals(part.idleSubtractedJoules, null);
});

Deno.test("meteredEnergy() refuses a window that was not metered", () => {
  const readings = readMeter(CSV);
  const reason = (fromMs: number, toMs: number, of = readings) => {
    const energy = meteredEnergy(of, { fromMs, toMs, idleWatts: null });
    assert(energy.kind === "none");
    return energy.reason;
  };
  assertStringIncludes(reason(T - 1, T + 5), "clocks may differ");
  assertStringIncludes(reason(T, T), "no time");
  assertStringIncludes(reason(T, T + 20_001), "from 2026-03-01T12:00:00.000Z to 2026-03-01T12:00:20.000Z");
  const often = Array.from(
    { length: 60 },
    (_, i) => ({ atMs: T + 1000 * i + (i > 29 ? 30_000 : 0), watts: 1 }),
  );
  assertStringIncludes(reason(T, T + 80_000, often), "says nothing between");
});

Deno.test("readMeter() names the line that it cannot read", () => {
  assertEquals(readMeter("timestamp,watts\n1772366400,5\n1772366400500,6\n").map(({ atMs }) => atMs), [
    T,
    T + 500,
  ]);
  for (const bad of ["x,5", "1772366401,", "1772366401,-3", "1772366401"]) {
    assertThrows(() => readMeter(`time,watts\n1772366400,5\n${bad}\n`), RangeError, "Line 3");
  }
  assertThrows(() => readMeter("a,b\n1,2\n"), RangeError, "must name a time and watts");
  assertThrows(() => readMeter("time,watts\n1772366400,5\n"), RangeError, "two readings");
});
