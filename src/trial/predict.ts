/** The report's predictions: what its own step model and traffic say of other loads. @module */

import { planFromReport } from "../capacity/from_report.ts";
import type { TrialPrediction, TrialReport } from "./report_data.ts";

/** Times of the traffic's own load that a report tells of. */
export const PREDICTED_LOADS = [1, 2, 5, 10, 100, 1000];

/** Null where the trial has no step model, or too little traffic to play. */
export function predictionsOf(
  report: Pick<TrialReport, "machine" | "model" | "traffic" | "objectives" | "chosen" | "stepModel">,
  { loads = PREDICTED_LOADS, requestsMax }: { loads?: readonly number[]; requestsMax?: number } = {},
): TrialPrediction[] | null {
  if (report.stepModel === null || report.traffic.sample.length < 2) return null;
  const plan = planFromReport(report, loads, { requestsMax });
  return plan.loads.map(({ load, machines, prediction, classes }) => ({
    load,
    requestsPerSecond: load * plan.baseRequestsPerSecond,
    machines,
    goodShare: prediction.goodShare,
    answerTokensPerSecond: prediction.answerTokensPerSecond,
    classes: classes.map(({ class: name, ttftMs, itlMs, e2eMs, goodShare }) => ({
      class: name,
      ttftMs,
      itlMs,
      e2eMs,
      goodShare,
    })),
  }));
}
