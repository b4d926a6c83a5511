import { assert, assertEquals } from "@std/assert";
import { StepGap } from "./step_gap.ts";

function bench() {
  const gap = new StepGap();
  let now = 0;
  return {
    gap,
    step: (betweenMs: number, sequences = 1) => {
      gap.end(now, 10, sequences);
      now += 10 + betweenMs;
      gap.begin(now);
    },
    /** Ms after a step of so many sequences. */
    after: (sequences: number) => gap.coefficients[0] + gap.coefficients[1] * sequences,
  };
}

function assertNear(actual: number, expected: number): void {
  assert(Math.abs(actual / expected - 1) < 0.05, `${actual} instead of ${expected}`);
}

Deno.test("StepGap measures between steps that follow each other, and not while there is no work", () => {
  const { gap, step, after } = bench();
  gap.begin(0);
  assertEquals(gap.coefficients, [0, 0]);
  for (let i = 0; i < 300; i++) step(3);
  assertNear(after(1), 3);
  const before = gap.coefficients;
  gap.end(0, 10, 1);
  gap.rest();
  gap.begin(200);
  assertEquals(gap.coefficients, before);
});

Deno.test("StepGap counts long gaps, too, and none as more than a second", () => {
  const { step, after } = bench();
  for (let i = 0; i < 2000; i++) step(i % 20 === 0 ? 90 : 3);
  assert(Math.abs(after(1) - (90 + 19 * 3) / 20) < 2, `${after(1)}`);
  step(1e6);
  assert(after(1) < 20, `${after(1)}`);
});

Deno.test("StepGap tells what a gap takes anyway from what it takes for each sequence", () => {
  const { step, after } = bench();
  for (let i = 0; i < 200; i++) step(1 + 0.2, 1);
  assertNear(after(1), 1.2);
  for (let i = 0; i < 20; i++) step(1 + 0.2 * 32, 32);
  assertNear(after(32), 7.4);
  for (let i = 0; i < 10; i++) step(1 + 0.2, 1);
  assert(after(1) < 2 && after(32) > 7, `${after(1)}, ${after(32)}`);
});
