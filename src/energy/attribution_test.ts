import { assertAlmostEquals, assertEquals } from "@std/assert";
import { perToken, workBetween } from "./attribution.ts";
import { countedEnergy, type EstimatedJoules, type MeasuredEnergy, type MeasuredJoules } from "./joules.ts";
import { estimateEnergy } from "./tdp.ts";

const MEASURED = countedEnergy({
  source: "rapl",
  domains: ["package-0"],
  seconds: 10,
  joules: 1000,
  idleWatts: null,
});
const ESTIMATED = estimateEnergy({ watts: 100, from: "given" }, { utilisation: 1, seconds: 10 });
const WORK = [
  { class: "interactive", prefillMs: 1000, decodeMs: 3000, prefillTokens: 100, decodeTokens: 50 },
  { class: "batch", prefillMs: 4000, decodeMs: 0, prefillTokens: 400, decodeTokens: 0 },
];

Deno.test("perToken() gives each kind of work its share of the steps' time", () => {
  // 8 s of steps took 1,000 J: 5 s for 500 tokens of prompts, 3 s for 50 of answers.
  const { joulesPerToken } = perToken(MEASURED, WORK, 60);
  assertAlmostEquals(joulesPerToken.perAnswerToken, 1000 / 60, 1e-9);
  assertAlmostEquals(joulesPerToken.prefill!, 625 / 500, 1e-9);
  assertAlmostEquals(joulesPerToken.decode!, 375 / 50, 1e-9);
  assertEquals(Object.keys(joulesPerToken.classes), ["interactive"]);
  assertAlmostEquals(joulesPerToken.classes.interactive, 500 / 50, 1e-9);
  const none = perToken(MEASURED, [], 0).joulesPerToken;
  assertEquals(none, { perAnswerToken: 1000, prefill: null, decode: null, classes: {} });
});

Deno.test("measured and estimated energy have no key in common but their kind", () => {
  const { estimatedJoulesPerToken } = perToken(ESTIMATED, WORK, 50);
  assertAlmostEquals(estimatedJoulesPerToken.decode!, 7.5, 1e-9);
  const keys = (value: object) => Object.keys(value);
  const common = keys({ ...MEASURED, ...perToken(MEASURED, WORK, 50) })
    .filter((key) => keys({ ...ESTIMATED, ...perToken(ESTIMATED, WORK, 50) }).includes(key));
  assertEquals(common, ["kind"]);
});

Deno.test("the compiler lets no estimate pass for a measurement", () => {
  // @ts-expect-error an estimate is none
  const wrong: MeasuredEnergy = ESTIMATED;
  // @ts-expect-error nor are its Joules
  const joules: MeasuredJoules = ESTIMATED.estimatedJoules;
  // @ts-expect-error nor is a number of unknown origin
  const unknown: MeasuredJoules = 5;
  // @ts-expect-error nor the other way round
  const other: EstimatedJoules = MEASURED.grossJoules;
  assertEquals([wrong.kind as string, joules as number, unknown as number, other as number], [
    "estimated",
    1000,
    5,
    1000,
  ]);
});

Deno.test("workBetween() is what was done between two looks", () => {
  const later = WORK.map((each) => ({
    ...each,
    prefillMs: each.prefillMs + 7,
    decodeTokens: each.decodeTokens + 2,
  }));
  const fresh = { class: "new", prefillMs: 1, decodeMs: 1, prefillTokens: 1, decodeTokens: 1 };
  assertEquals(workBetween(WORK, [...later, fresh]), [
    { class: "interactive", prefillMs: 7, decodeMs: 0, prefillTokens: 0, decodeTokens: 2 },
    { class: "batch", prefillMs: 7, decodeMs: 0, prefillTokens: 0, decodeTokens: 2 },
    fresh,
  ]);
});
