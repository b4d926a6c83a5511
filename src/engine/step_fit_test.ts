import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Random } from "../../scheduler/testing/random.ts";
import { tokensMs } from "../protocol/token_time.ts";
import { StepFit } from "./step_fit.ts";

/** Steps of a server: some sequences that decode, now and then beside a prompt. */
function* loads(random: Random, count: number) {
  for (let i = 0; i < count; i++) {
    const decoding = random.int(0, 16), prompt = random.chance(0.2) ? random.int(8, 200) : 0;
    if (decoding + prompt === 0) continue;
    const kv = decoding * random.int(50, 400) + prompt * (prompt + 1) / 2;
    yield { tokens: decoding + prompt, kv, rows: decoding + (prompt > 0 ? 1 : 0) };
  }
}

Deno.test("StepFit tells tokens, what they attend to, and choosing them apart", () => {
  const random = new Random(1);
  const fit = new StepFit();
  assertEquals(fit.result, null);
  for (const load of loads(random, 3000)) {
    const ms = 10 + 0.5 * load.tokens + 1e-3 * load.kv + 0.8 * load.rows;
    // One step in fifty takes far too long.
    fit.observe(load, ms * (1 + 0.05 * (2 * random.next() - 1)) * (random.chance(0.02) ? 6 : 1));
  }
  const { fixedMs, msPerToken, bends, msPerKvEntry, msPerRow, relativeError, stretch } = fit.result!;
  assertAlmostEquals(fixedMs, 10, 0.5);
  assertAlmostEquals(msPerToken, 0.5, 0.02);
  for (const bend of bends) assertAlmostEquals(bend.msPerToken, 0.5, 0.15);
  // One in fifty takes six times as long.
  assertAlmostEquals(stretch, 1.1, 0.04);
  assertAlmostEquals(msPerKvEntry, 1e-3, 2e-4);
  assertAlmostEquals(msPerRow, 0.8, 0.08);
  assert(relativeError > 0.01 && relativeError < 0.06, `${relativeError}`);
});

Deno.test("StepFit finds out that a few tokens take less, and holds together what it cannot tell apart", () => {
  const random = new Random(3);
  const fit = new StepFit();
  const ms = (tokens: number) => 8 + 0.2 * Math.min(tokens, 4) + Math.max(0, tokens - 4);
  for (const load of loads(random, 3000)) fit.observe(load, ms(load.tokens) * (1 + 0.02 * random.next()));
  for (const tokens of [1, 2, 4, 8, 16, 100]) {
    const { fixedMs, msPerRow } = fit.result!;
    const predicted = fixedMs + tokensMs(fit.result!, tokens) + msPerRow * Math.min(tokens, 17);
    assertAlmostEquals(predicted / ms(tokens), 1, 0.05, `${tokens} tokens`);
  }
  // Steps of more than 16 tokens have not come: those take what the ones before do.
  const few = new StepFit();
  for (let i = 0; i < 2000; i++) {
    const tokens = random.int(1, 16);
    few.observe({ tokens, kv: 0, rows: 0 }, 5 + 0.5 * tokens);
  }
  const { fixedMs } = few.result!;
  assertAlmostEquals(fixedMs + tokensMs(few.result!, 64), 5 + 32, 1);
});

Deno.test("StepFit has no coefficient below 0, and gets over steps that are all alike", () => {
  const fit = new StepFit();
  for (let i = 0; i < 200; i++) fit.observe({ tokens: 4, kv: 100, rows: 4 }, 7);
  const predict = ({ fixedMs, msPerKvEntry, msPerRow, ...time } = fit.result!) =>
    fixedMs + tokensMs(time, 4) + 100 * msPerKvEntry + 4 * msPerRow;
  assertAlmostEquals(predict(), 7, 0.05);
  const falling = new StepFit();
  const random = new Random(2);
  for (const load of loads(random, 500)) falling.observe(load, Math.max(1, 50 - load.rows));
  const { bends, ...rest } = falling.result!;
  assert([...Object.values(rest), ...bends.map((bend) => bend.msPerToken)].every((value) => value >= 0));
  fit.observe({ tokens: 0, kv: 0, rows: 0 }, 5);
  fit.observe({ tokens: 1, kv: 1, rows: 1 }, NaN);
  assertAlmostEquals(predict(), 7, 0.05);
});
