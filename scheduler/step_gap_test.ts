import { assert, assertEquals } from "@std/assert";
import { StepGap } from "./step_gap.ts";

Deno.test("StepGap measures between steps that follow each other, and not while there is no work", () => {
  const gap = new StepGap();
  let now = 0;
  gap.begin(now);
  const step = (betweenMs: number) => {
    gap.end(now, 10);
    now += 10 + betweenMs;
    gap.begin(now);
  };
  for (let i = 0; i < 300; i++) step(3);
  assert(Math.abs(gap.ms - 3) < 0.01, `${gap.ms}`);
  const { ms } = gap;
  step(10_000);
  gap.end(now, 10);
  gap.rest();
  gap.begin(now + 20);
  assertEquals(gap.ms, ms);
});
