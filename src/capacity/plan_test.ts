import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { planFromReport } from "./from_report.ts";
import { type PlanReport, readPlanReport, ReportError } from "./plan_report.ts";

/** Two requests a second, of which a machine like this computes some ten. */
const REPORT = {
  trialReport: 1,
  machine: {
    processor: "any",
    readGBps: 20,
    readGBpsByThreads: { 1: 12, 2: 20 },
    peakGmacps: { int8: 400, bf16: 200, float: 50 },
  },
  model: { contextLength: 512 },
  traffic: {
    requestsPerSecond: 2,
    classes: [{ class: "interactive" }, { class: "batch" }],
    blockTokens: 16,
    sample: Array.from(
      { length: 150 },
      (_, i) => ({
        at: 370 * i + 200 * (i % 3),
        cls: i % 4 === 0 ? 1 : 0,
        prompt: 60,
        answer: 12,
        blocks: [0, i],
      }),
    ),
  },
  objectives: {
    classes: [
      { class: "interactive", ttftMs: 400, itlMs: 100, itlStat: "mean" },
      { class: "batch", ttftMs: null, itlMs: null, itlStat: "mean" },
    ],
    share: 0.95,
  },
  chosen: { config: {} },
  stepModel: {
    fixedMs: 8,
    msPerToken: 1,
    msPerKvEntry: 1e-4,
    relativeError: 0.05,
    steps: 1000,
    requestOverheadMs: 1,
    tokenOverheadMs: 0.5,
    matrixBytes: 60e6,
    macsPerToken: 1e8,
    settings: {
      workers: 1,
      threads: 1,
      sequencesMax: 32,
      batchTokens: 512,
      kvTokens: 16_384,
      prefixCache: true,
    },
  },
} as const;
const QUICK = { requestsMax: 150 };
// deno-lint-ignore no-explicit-any
type Json = Record<string, any>;

function changed(change: (report: Json) => void): PlanReport {
  const report = structuredClone(REPORT) as unknown as Json;
  change(report);
  return readPlanReport(JSON.stringify(report));
}

Deno.test("planFromReport() says how many machines loads take, and what their requests see", () => {
  const plan = planFromReport(readPlanReport(JSON.stringify(REPORT)), [1, 10, 1000], QUICK);
  assertEquals([plan.baseRequestsPerSecond, plan.baseFrom, plan.machine, plan.workers], [
    2,
    "traffic",
    "measured",
    1,
  ]);
  const most = plan.perMachineLoad!;
  assert(most > 2 && most < 10, `${most}`);
  assertEquals(
    plan.loads.map(({ machines }) => machines),
    [1, 10, 1000].map((load) => Math.ceil(load / most)),
  );
  for (const { load, machines, prediction, classes } of plan.loads) {
    assert(prediction.goodShare >= 0.9, `${load}: ${prediction.goodShare}`);
    assertEquals(classes.map((each) => each.class), ["batch", "interactive"]);
    // Of so many machines, and each of them has its part.
    assertAlmostEquals(prediction.requestsPerSecond, 2 * load, 0.35 * 2 * load, `${load} with ${machines}`);
  }
  const [low, , high] = plan.loads;
  assert(low.prediction.ttftMs.p50! < high.prediction.ttftMs.p50!);
  assertEquals(planFromReport(readPlanReport(JSON.stringify(REPORT)), [10], QUICK).loads[0], plan.loads[1]);
});

Deno.test("planFromReport() plans for other workers and other machines, and says where their figures come from", () => {
  const report = readPlanReport(JSON.stringify(REPORT));
  const load = (changes: Parameters<typeof planFromReport>[2]) =>
    planFromReport(report, [1], { ...QUICK, ...changes }).perMachineLoad!;
  const here = load({});
  assert(load({ workers: 2 }) > 1.4 * here);
  assert(load({ threads: 2 }) > 1.2 * here);
  const fast = { readGBps: 80, peakGmacps: 1600, from: "data sheet" } as const;
  assert(load({ machine: fast }) > 2 * here);
  assertEquals(planFromReport(report, [1], { ...QUICK, machine: fast }).machine, "data sheet");
  const blind = changed(({ machine }) =>
    Object.assign(machine, { readGBps: null, readGBpsByThreads: {}, peakGmacps: null })
  );
  assertThrows(() => planFromReport(blind, [1], { workers: 2 }), ReportError, "no read bandwidth");
  assertThrows(() => planFromReport(blind, [1], { machine: fast }), ReportError, "no read bandwidth");
});

Deno.test("planFromReport() knows loads that no number of machines carries, and traffic without a rate", () => {
  const strict = changed(({ objectives }) => objectives.classes[0].ttftMs = 5);
  const plan = planFromReport(strict, [4], QUICK);
  assertEquals([plan.perMachineLoad, plan.measuredLoad, plan.loads[0].machines], [null, null, null]);
  const rateless = changed((report) => {
    report.traffic.requestsPerSecond = null;
    report.chosen.highestLoad = { requestsPerSecond: 7 };
  });
  const { baseRequestsPerSecond, baseFrom, measuredLoad } = planFromReport(rateless, [1], QUICK);
  assertEquals([baseRequestsPerSecond, baseFrom, measuredLoad], [7, "highest load", 1]);
  const foreign = changed(({ traffic }) => traffic.classes[0].class = "gold");
  assertThrows(() => planFromReport(foreign, [1], QUICK), ReportError, 'class "gold"');
});

Deno.test("readPlanReport() says what a report lacks", () => {
  assertThrows(() => readPlanReport("{"), ReportError, "no JSON");
  assertThrows(() => readPlanReport("{}"), ReportError, "no trialReport of 1");
  assertThrows(() => changed((report) => report.stepModel = null), ReportError, "no step model");
  assertThrows(
    () => changed((report) => delete report.stepModel.settings.threads),
    ReportError,
    "no whole stepModel",
  );
  assertThrows(() => changed((report) => report.traffic.sample[3].cls = 9), ReportError, "traffic.sample[3]");
  assertThrows(
    () => changed((report) => report.traffic.sample.length = 1),
    ReportError,
    "fewer than two requests",
  );
  assertThrows(() => changed((report) => delete report.machine), ReportError, "lacks machine");
});
