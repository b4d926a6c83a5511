import { assert, assertEquals } from "@std/assert";
import { Random } from "./testing/random.ts";
import { attendedKv, StepTimeModel } from "./step_time_model.ts";

const A = 12, B = 0.8, C = 4e-5;
const time = ({ tokens, kv }: { tokens: number; kv: number }) => A + B * tokens + C * kv;

function load(random: Random) {
  const tokens = random.int(1, 256);
  return { tokens, kv: attendedKv(random.int(0, 4000), tokens) };
}

function train(model: StepTimeModel, random: Random, steps: number, noise: number): void {
  for (let i = 0; i < steps; i++) {
    const each = load(random);
    model.observe(each, time(each) * (1 + noise * (2 * random.next() - 1)));
  }
}

function worstError(model: StepTimeModel, random: Random, factor = 1): number {
  let worst = 0;
  for (let i = 0; i < 100; i++) {
    const each = load(random);
    worst = Math.max(worst, Math.abs(model.predict(each) / (factor * time(each)) - 1));
  }
  return worst;
}

Deno.test("StepTimeModel finds the coefficients of exact measurements", () => {
  const model = new StepTimeModel();
  assert(!model.isReady);
  train(model, new Random(1), 100, 0);
  assert(model.isReady);
  const [a, b, c] = model.coefficients;
  assert(
    Math.abs(a / A - 1) < 0.01 && Math.abs(b / B - 1) < 0.01 && Math.abs(c / C - 1) < 0.01,
    `${a} ${b} ${c}`,
  );
});

Deno.test("StepTimeModel predicts within a few percent from noisy measurements with outliers", () => {
  const random = new Random(2);
  const model = new StepTimeModel();
  for (let i = 0; i < 40; i++) {
    train(model, random, 19, 0.1);
    const each = load(random);
    model.observe(each, 20 * time(each));
  }
  const worst = worstError(model, random);
  assert(worst < 0.15, `${worst}`);
});

Deno.test("StepTimeModel follows a machine that has become slower", () => {
  const random = new Random(3);
  const model = new StepTimeModel();
  train(model, random, 500, 0.05);
  for (let i = 0; i < 600; i++) {
    const each = load(random);
    model.observe(each, 3 * time(each));
  }
  const worst = worstError(model, random, 3);
  assert(worst < 0.1, `${worst}`);
});

Deno.test("StepTimeModel stays finite and learns again after thousands of equal steps", () => {
  const random = new Random(4);
  const model = new StepTimeModel();
  const same = { tokens: 1, kv: 500 };
  for (let i = 0; i < 20_000; i++) model.observe(same, time(same) * (1 + 0.02 * (2 * random.next() - 1)));
  assert(Math.abs(model.predict(same) / time(same) - 1) < 0.05);
  train(model, random, 300, 0.02);
  const worst = worstError(model, random);
  assert(worst < 0.1, `${worst}`);
});

Deno.test("StepTimeModel keeps its footing when all steps are full", () => {
  const random = new Random(6);
  const model = new StepTimeModel();
  for (let i = 0; i < 5000; i++) {
    const full = { tokens: 512, kv: attendedKv(random.int(0, 640), 512) };
    model.observe(full, time(full) * (1 + 0.05 * (2 * random.next() - 1)));
    assert(
      model.coefficients.every((value) => value >= 0 && Number.isFinite(value)),
      `${model.coefficients}`,
    );
  }
  const full = { tokens: 512, kv: attendedKv(300, 512) };
  assert(Math.abs(model.predict(full) / time(full) - 1) < 0.05);
});

Deno.test("StepTimeModel ignores measurements that cannot be", () => {
  const model = new StepTimeModel();
  for (const elapsed of [0, -5, NaN, Infinity]) model.observe({ tokens: 1, kv: 1 }, elapsed);
  model.observe({ tokens: 0, kv: 0 }, 5);
  assertEquals(model.coefficients, [0, 0, 0]);
});

Deno.test("StepTimeModel.tokensWithin() gives the most tokens that keep the limit", () => {
  const random = new Random(5);
  const model = new StepTimeModel();
  train(model, random, 200, 0);
  for (let i = 0; i < 100; i++) {
    const base = { tokens: random.int(0, 20), kv: random.int(0, 10_000) };
    const first = random.int(0, 100_000), limitMs = 10 + 300 * random.next();
    const count = model.tokensWithin(limitMs, base, first);
    const after = (n: number) =>
      model.predict({ tokens: base.tokens + n, kv: base.kv + attendedKv(first, n) });
    if (count > 0) assert(after(count) <= limitMs + 1e-6);
    assert(after(count + 1) > limitMs - 1e-6);
  }
});

Deno.test("StepTimeModel.overrun is what one step in a hundred exceeds", () => {
  const model = new StepTimeModel();
  const random = new Random(5);
  let late = 0;
  for (let i = 0; i < 20_000; i++) {
    const tokens = 1 + Math.floor(random.next() * 100);
    const load = { tokens, kv: 0 };
    // Mostly as predicted, sometimes a good deal more.
    const ratio = random.chance(0.03) ? 1 + 0.5 * random.next() : 1;
    const elapsedMs = (10 + tokens) * ratio;
    if (i > 2000 && elapsedMs > model.predict(load) * model.overrun) late++;
    model.observe(load, elapsedMs);
  }
  assert(late > 60 && late < 360, `${late} of 18,000 steps were longer`);
});

Deno.test("StepTimeModel.stretch makes the mean of what is usual", () => {
  const random = new Random(7);
  const model = new StepTimeModel();
  assertEquals(model.stretch, 1);
  train(model, random, 300, 0.05);
  assert(Math.abs(model.stretch - 1) < 0.02, `${model.stretch}`);
  let elapsed = 0, predicted = 0;
  for (let i = 0; i < 4000; i++) {
    const each = load(random);
    const ms = time(each) * (random.chance(0.05) ? 5 : 1);
    if (i >= 1000) {
      elapsed += ms;
      predicted += model.stretch * model.predict(each);
    }
    model.observe(each, ms);
  }
  assert(Math.abs(predicted / elapsed - 1) < 0.05, `${predicted / elapsed}`);
  // A machine that has become slower is learned as such, and not twice.
  for (let i = 0; i < 60; i++) {
    const each = load(random);
    model.observe(each, 4 * time(each));
  }
  const each = load(random), ratio = model.stretch * model.predict(each) / (4 * time(each));
  assert(Math.abs(ratio - 1) < 0.15, `${ratio}`);
});
