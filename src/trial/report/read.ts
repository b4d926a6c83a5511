import { TRIAL_REPORT_VERSION, type TrialReport } from "../report_data.ts";

/** A file is no report, or one of another version. */
export class ReportError extends Error {
  override name = "ReportError";
}

/** What a report must have at its top, and of what kind. */
const PARTS = {
  command: "list",
  machine: "object",
  model: "object",
  traffic: "object",
  objectives: "object",
  search: "object",
  chosen: "object or null",
  noise: "object",
  energy: "object",
  quality: "object or null",
  alternatives: "list",
  cost: "object or null",
  stepModel: "object or null",
  predictions: "list",
  verdict: "object",
  notes: "list",
} as const satisfies Partial<Record<keyof TrialReport, string>>;

/** Reads a report.json. Throws a ReportError that names what is wrong. */
export function readReport(text: string): TrialReport {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ReportError(`is no JSON: ${(error as Error).message}`);
  }
  if (kindOf(json) !== "object" || !("trialReport" in (json as object))) {
    throw new ReportError("is no report of a trial: it has no trialReport");
  }
  const report = json as TrialReport;
  if (report.trialReport !== TRIAL_REPORT_VERSION) {
    throw new ReportError(
      `is a report of version ${
        JSON.stringify(report.trialReport)
      }; this kumi reads version ${TRIAL_REPORT_VERSION}`,
    );
  }
  for (const [name, wanted] of Object.entries(PARTS)) {
    const kind = kindOf(report[name as keyof typeof PARTS]);
    if (!wanted.split(" or ").includes(kind)) {
      throw new ReportError(`${name} is ${kind}, and should be ${wanted}`);
    }
  }
  // Reports of kumi's first trials had left nothing out.
  return { ...report, traffic: { ...report.traffic, promptLimits: report.traffic.promptLimits ?? [] } };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "not there";
  return Array.isArray(value) ? "list" : typeof value;
}
