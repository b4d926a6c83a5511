import { assert, assertEquals } from "@std/assert";
import { sampleReport } from "../../tests/support/trial_report.ts";
import { predictionsOf } from "./predict.ts";

Deno.test("predictionsOf() predicts from what a report has, and nothing without a step model", () => {
  const report = sampleReport();
  const predictions = predictionsOf(report, { loads: [1, 10], requestsMax: 100 })!;
  assertEquals(predictions.map(({ load }) => load), [1, 10]);
  const names = report.traffic.classes.map((each) => each.class);
  for (const { machines, goodShare, classes } of predictions) {
    assert(machines === null || machines >= 1);
    assert(goodShare >= 0 && goodShare <= 1);
    assert(classes.every((each) => names.includes(each.class)));
  }
  assertEquals(predictionsOf({ ...report, stepModel: null }), null);
  // Of a model of billions: what is no time is not judged as one.
  const large = { ...report.stepModel!, matrixBytes: 4e9, macsPerToken: 8e9 };
  assertEquals(predictionsOf({ ...report, stepModel: large }, { loads: [1], requestsMax: 50 })!.length, 1);
});
