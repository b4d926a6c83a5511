import { assertAlmostEquals, assertEquals } from "@std/assert";
import { type OwnOption, parsePrices, SECONDS_PER_MONTH } from "../cost/mod.ts";
import { sampleReport } from "../../tests/support/trial_report.ts";
import { trialCost } from "./cost.ts";
import type { TrialReport } from "./report_data.ts";

const text = await Deno.readTextFile(new URL("../../examples/prices/example.json", import.meta.url));

/** The example whose own machine takes its power from the trial, times what is given. */
function prices(timesTrial?: number) {
  const file = JSON.parse(text);
  delete file.options[0].power;
  if (timesTrial !== undefined) {
    file.options[0].power = {
      timesTrial: { value: timesTrial, date: "2026-11-30", source: "a meter, once" },
    };
  }
  return parsePrices(JSON.stringify(file));
}

const given = parsePrices(text);
const power = (report: TrialReport, timesTrial?: number) =>
  (trialCost(report, prices(timesTrial), "p.json")!.inputs.options[0] as OwnOption).power;

Deno.test("trialCost() takes lengths from the traffic, capacity and cached share from the chosen point", () => {
  const report = sampleReport();
  const { inputs, pricesFile } = trialCost(report, given, "/home/me/prices.json")!;
  assertEquals(pricesFile, "prices.json");
  // 80 % of 300 and 20 % of 1200; 80 % of 120 and 20 % of 200.
  assertAlmostEquals(inputs.mix.promptTokens, 480, 1e-9);
  assertAlmostEquals(inputs.mix.answerTokens, 136, 1e-9);
  const { cachedTokens, promptTokens } = report.chosen!.measures.all;
  assertAlmostEquals(inputs.mix.cachedTokens, 480 * cachedTokens / promptTokens, 1e-9);
  assertEquals((inputs.options[0] as OwnOption).capacity, { requestsPerSecond: 2.4, basis: "measured" });
  assertEquals(inputs.volume, {
    requestsPerMonth: 4 * SECONDS_PER_MONTH,
    peakToMean: 1.375,
    basis: "traffic",
  });
});

Deno.test("trialCost() prices the requests that the machine can carry, at all options", () => {
  const report = sampleReport();
  const sample = [
    { at: 0, cls: 0, prompt: 100, answer: 10 },
    { at: 1, cls: 0, prompt: 300, answer: 30 },
    { at: 2, cls: 0, prompt: 5000, answer: 90 },
  ];
  const promptLimits = [{ class: "interactive", tokens: 1000, share: 0.25, ttftMsForAll: 9000 }];
  const { inputs } = trialCost(
    { ...report, traffic: { ...report.traffic, sample, promptLimits } },
    given,
    "p.json",
  )!;
  assertEquals([inputs.mix.promptTokens, inputs.mix.answerTokens], [200, 20]);
  assertEquals(inputs.volume.requestsPerMonth, 3 * SECONDS_PER_MONTH);
});

Deno.test("trialCost() counts as many machines as the verdict does", () => {
  const report = sampleReport();
  assertEquals(
    trialCost(report, given, "p.json")!.outputs.options[0].month.machines,
    report.verdict.machines,
  );
});

Deno.test("trialCost() keeps estimated power apart from measured, and counters from a meter", () => {
  const estimate = sampleReport();
  const watts = estimate.energy.estimated!.estimatedWatts;
  assertEquals(power(estimate, 1.5), { idleWatts: 1.5 * watts, busyWatts: 1.5 * watts, basis: "estimated" });
  const measured = (source: "rapl" | "meter") =>
    sampleReport({
      energy: {
        measured: {
          source,
          domains: [],
          seconds: 60,
          grossJoules: 6000,
          meanWatts: 100,
          idleWatts: 40,
          idleSubtractedJoules: 3600,
          joulesPerToken: { perAnswerToken: 0.3, prefill: null, decode: null, classes: {} },
        },
        estimated: null,
        notMeasuredBecause: null,
      },
    });
  assertEquals(power(measured("rapl"), 1.5), { idleWatts: 60, busyWatts: 150, basis: "measured" });
  assertEquals(power(measured("meter")), { idleWatts: 40, busyWatts: 100, basis: "measured" });
  // What processors and memory take is not taken for the whole machine.
  const { inputs } = trialCost(measured("rapl"), prices(), "p.json")!;
  assertEquals(inputs.leftOut.map(({ name }) => name), ["Own server"]);
});

Deno.test("trialCost() is nothing where neither traffic nor machine gives a number of requests", () => {
  const { traffic } = sampleReport();
  const none = sampleReport({
    chosen: null,
    traffic: { ...traffic, requestsPerSecond: null, peakRequestsPerSecond: null },
  });
  assertEquals(trialCost(none, given, "p.json"), null);
});
