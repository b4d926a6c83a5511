import { assertEquals } from "@std/assert";
import { DEFAULT_CLASSES } from "./latency_class.ts";
import { calmLimitMs, itlLimitMs, promptFloor } from "./step_budget.ts";
import { StepTimeModel } from "./step_time_model.ts";

const [interactive] = DEFAULT_CLASSES;

/** A model of steps that take 10 ms and 1 ms a token. */
function createModel(): StepTimeModel {
  const model = new StepTimeModel();
  for (let i = 0; i < 200; i++) {
    const tokens = 1 + i % 40;
    model.observe({ tokens, kv: 0 }, 10 + tokens);
  }
  return model;
}

Deno.test("itlLimitMs() is the objective, or twice what decoding takes when that is more", () => {
  assertEquals(itlLimitMs(150, 20), 150);
  assertEquals(itlLimitMs(150, 150), 150);
  assertEquals(itlLimitMs(150, 180), 360);
});

Deno.test("promptFloor() is a quantum, what the TTFT objective needs, or what doubles the step", () => {
  const model = createModel();
  const floor = (ttftSloMs: number | undefined, decodeMs: number) =>
    promptFloor({ ...interactive, ttftSloMs }, decodeMs, model);
  assertEquals(floor(undefined, 100), 16);
  assertEquals(floor(100_000, 100), 16);
  // The prompt is to use 0.8 of the objective.
  // 512 ms for the prompt, 100 ms for the step under way: decoding has 1610 ms.
  assertEquals(floor(2222 / 0.8, 100), 32);
  assertEquals(floor(600, 99.5), 100);
  assertEquals(floor(100, 99.5), 100, "not more");
});

Deno.test("promptFloor() is a quantum before steps were measured", () => {
  assertEquals(promptFloor(interactive, 0, new StepTimeModel()), 16);
});

Deno.test("calmLimitMs() is twice the tightest objective, or what makes the fixed part small", () => {
  const model = createModel();
  const [fixedMs] = model.coefficients;
  assertEquals(calmLimitMs([], 0, model), Infinity);
  assertEquals(calmLimitMs([150, 90], 0, new StepTimeModel()), Infinity, "nothing is known yet");
  assertEquals(calmLimitMs([1e6, 2e6], 0, model), 2e6);
  assertEquals(calmLimitMs([0.01], 0, model), 8 * fixedMs);
  assertEquals(calmLimitMs([1000], 3000, model), 6000, "decoding alone takes longer");
});
