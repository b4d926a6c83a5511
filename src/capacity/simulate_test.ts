import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { DEFAULT_CLASSES } from "../../scheduler/mod.ts";
import { type Arrival, parseClasses, poissonArrivals } from "../loadtest/arrivals.ts";
import { predictionOf } from "./prediction.ts";
import { simulate, type SimulatedServer } from "./simulate.ts";
import type { StepModel } from "./step_model.ts";

const STEP: StepModel = {
  fixedMs: 10,
  msPerToken: 1,
  msPerKvEntry: 0.01,
  relativeError: 0,
  betweenMs: 0.5,
  betweenMsPerSequence: 0.25,
  requestMs: 2,
  tokenMs: 1,
};
const SERVER: SimulatedServer = {
  step: STEP,
  workers: 1,
  batchTokensMax: 512,
  sequencesMax: 32,
  kvTokens: 4096,
  prefixCache: true,
};
const one = (
  atMs: number,
  promptTokens: number,
  maxTokens: number,
  more: Partial<Arrival> = {},
): Arrival => ({
  atMs,
  class: "interactive",
  promptTokens,
  maxTokens,
  ...more,
});

Deno.test("simulate() takes for a request alone what its steps and the server around them take", () => {
  const [record] = simulate([one(1000, 100, 3)], SERVER);
  assertEquals([record.outcome, record.promptTokens, record.completionTokens], ["ok", 100, 3]);
  // 100 tokens attend to 5,050 entries; the next two tokens to 101 and to 102; 0.75 ms between two steps.
  const prefill = 10 + 100 + 50.5, first = 10 + 1 + 1.01, second = 10 + 1 + 1.02;
  const [a, b, c] = record.partsMs;
  assertAlmostEquals(a - record.sentMs, 2 + prefill + 1, 1e-9);
  assertAlmostEquals(b - a, 0.75 + first, 1e-9);
  assertAlmostEquals(c - b, 0.75 + second, 1e-9);
  assertEquals(record.endMs, c);
});

Deno.test("simulate() batches what comes together, and lets what comes within a step wait for its end", () => {
  const [a, b] = simulate([one(0, 100, 2), one(50, 20, 1)], SERVER);
  // The first one's prompt is computed until 162.5; then both, the second one's prompt beside a token.
  const together = 10 + 21 + 0.01 * (101 + 210);
  assertAlmostEquals(a.partsMs[0], 2 + 160.5 + 1, 1e-9);
  assertAlmostEquals(a.partsMs[1], 162.5 + 0.75 + together + 1, 1e-9);
  assertEquals(b.partsMs, [a.partsMs[1]]);
});

Deno.test("simulate() knows prefixes, spreads requests over workers, and refuses as the scheduler does", () => {
  const shared = { blocks: [1, 2, 3], blockTokens: 16 };
  const [first, second, other] = simulate([
    one(0, 60, 1, shared),
    one(1000, 60, 1, shared),
    one(2000, 60, 1, { blocks: [4], blockTokens: 16 }),
  ], SERVER);
  assertEquals([first.cachedTokens, second.cachedTokens, other.cachedTokens], [0, 48, 0]);
  assert(second.partsMs[0] - second.sentMs < first.partsMs[0] - first.sentMs - 40);
  const off = simulate([one(0, 60, 1, shared), one(1000, 60, 1, shared)], { ...SERVER, prefixCache: false });
  assertEquals(off.map(({ cachedTokens }) => cachedTokens), [0, 0]);
  const [a, b] = simulate([one(0, 100, 2), one(0, 100, 2)], { ...SERVER, workers: 2 });
  assertEquals([a.partsMs[0], b.partsMs[0]], [163.5, 163.5]);
  const classes = DEFAULT_CLASSES.map((each) => ({ ...each, queueLimit: { requests: 2, tokens: 1000 } }));
  const many = Array.from({ length: 40 }, () => one(0, 100, 50));
  const outcomes = simulate(many, { ...SERVER, classes, sequencesMax: 2 }).map(({ outcome }) => outcome);
  assert(outcomes.includes("refused") && outcomes.includes("ok"), outcomes.join());
  assertThrows(() => simulate([one(0, 1, 1, { class: "x" })], SERVER), RangeError, 'class "x"');
  const endless = { ...SERVER, step: { ...STEP, msPerToken: NaN } };
  assertThrows(() => simulate([one(0, 1, 1)], endless), RangeError, "msPerToken");
});

Deno.test("simulate() is the same for a seed, and its steps have the spread and the mean of the model", () => {
  const arrivals = poissonArrivals(parseClasses("interactive:1:20/60"), {
    perSecond: 0.5,
    seconds: 400,
    seed: 3,
  });
  const server = { ...SERVER, step: { ...STEP, relativeError: 0.1, stretch: 1.2 } };
  const records = simulate(arrivals, server);
  assertEquals(records, simulate(arrivals, server));
  assert(
    records.some(({ partsMs }, i) => partsMs[0] !== simulate(arrivals, { ...server, seed: 2 })[i].partsMs[0]),
  );
  const gaps = records.flatMap(({ partsMs }) => partsMs.slice(1).map((at, i) => at - partsMs[i]));
  const plain = simulate(arrivals, SERVER).flatMap(({ partsMs }) =>
    partsMs.slice(1).map((at, i) => at - partsMs[i])
  );
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  assert(gaps.length > 4000);
  assertAlmostEquals(mean(gaps) / mean(plain), 1.2, 0.08);
});

Deno.test("simulate() ends as many tokens a second as its steps allow", () => {
  const arrivals = poissonArrivals(parseClasses("batch:1:64/64"), { perSecond: 1000, seconds: 1, seed: 1 })
    .slice(0, 320);
  const server = { ...SERVER, step: { ...STEP, msPerKvEntry: 0 }, kvTokens: 65_536 };
  const { answerTokensPerSecond, cachedShare, requests } = predictionOf(simulate(arrivals, server));
  assertEquals([requests, cachedShare], [320, 0]);
  // 32 at a time: 64 steps of 10 + 32 ms and 8.5 ms between them, and 32 prompts of 64 ms.
  const most = 32 * 64 / (64 * (10 + 32 + 8.5) + 32 * 64) * 1000;
  assertAlmostEquals(answerTokensPerSecond, most, 0.1 * most);
});
