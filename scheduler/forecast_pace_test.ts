import { assert, assertEquals } from "@std/assert";
import { ForecastPace } from "./forecast_pace.ts";

Deno.test("ForecastPace follows what forecasts come to, both ways, and is never below 1", () => {
  const pace = new ForecastPace();
  assertEquals(pace.value, 1);
  const note = (actualMs: number, playedMs = 500) => {
    for (let i = 0; i < 100; i++) pace.note(playedMs, actualMs, 1000);
  };
  note(1000);
  assert(Math.abs(pace.value - 2) < 0.01, `${pace.value}`);
  note(1000, 100);
  assert(Math.abs(pace.value - 2) < 0.01, "short forecasts say nothing");
  note(1e6);
  assert(pace.value <= 3);
  note(500);
  assert(pace.value < 1.01, `${pace.value}`);
  note(100);
  assertEquals(pace.value, 1);
});
