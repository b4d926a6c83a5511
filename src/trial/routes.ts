/** What a trial recommends about sending requests to the other endpoint that it measured. @module */

import { inputOf } from "../capacity/from_report.ts";
import { planRoutes } from "../capacity/plan_routes.ts";
import type { TrialReport, TrialRouting } from "./report_data.ts";

/** Times of the traffic's own load for which there is a recommendation. */
const LOADS = [1, 2];
/** Without prices the way that sends the fewest tokens away is the best. */
const NO_PRICE = { promptPerMillion: 1, answerPerMillion: 1 };

/** Null where no other endpoint was measured, or this machine's steps were not. */
export function routingOf(
  report: Pick<
    TrialReport,
    "machine" | "model" | "traffic" | "objectives" | "chosen" | "stepModel" | "alternatives" | "cost"
  >,
  { requestsMax }: { requestsMax?: number } = {},
): TrialRouting | null {
  const other = report.alternatives.find(({ speed }) => speed != null);
  if (other === undefined || report.stepModel === null || report.traffic.sample.length < 2) return null;
  const { url, model } = other;
  const option = report.cost?.inputs.options.find(({ alternative }) => alternative === model);
  const price = option?.kind === "api"
    ? { promptPerMillion: option.inputPerMillion, answerPerMillion: option.outputPerMillion }
    : null;
  const { input } = inputOf(report, { requestsMax });
  const upstream = { ...other.speed!, price: price ?? NO_PRICE };
  const plans = LOADS.map((load) => planRoutes(input, load, upstream)).map((
    { load, recommended, savedPerHour },
  ) => ({
    load,
    ...recommended,
    costPerHour: price === null ? null : recommended.costPerHour,
    savedPerHour: price === null ? null : savedPerHour,
  }));
  return { url, model, speed: other.speed!, price, plans };
}
