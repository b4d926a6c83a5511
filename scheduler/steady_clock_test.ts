import { assertEquals } from "@std/assert";
import { SteadyClock } from "./steady_clock.ts";

Deno.test("SteadyClock goes on when the clock is set back, and does not leap when it is set forward", () => {
  const clock = new SteadyClock();
  assertEquals(clock.advance(5000), 0);
  assertEquals(clock.advance(5010), 10);
  assertEquals(clock.advance(1000), 10);
  assertEquals(clock.advance(1005), 15);
  assertEquals(clock.advance(1005 + 3_600_000), 60_015);
  assertEquals(clock.advance(NaN), 60_015);
  assertEquals(clock.now, 60_015);
});
