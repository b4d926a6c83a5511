/** What `kumi report` does. @module */

import { parsePrices, PricesError } from "../../cost/mod.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine } from "../../process/print.ts";
import { trialCost } from "../../trial/cost.ts";
import { routingOf } from "../../trial/routes.ts";
import { readReport, ReportError } from "../../trial/report/read.ts";
import { type Language, renderReport } from "../../trial/report/render.ts";
import type { TrialReport } from "../../trial/report_data.ts";
import { type Arguments, choiceOption, UsageError } from "../command.ts";
import { pagePath } from "../commands/report.ts";
import { readNamed, writeNamed } from "../named_file.ts";
import { checkNew } from "../new_file.ts";

/** Reads a report, reckons its costs anew where prices are given, and writes its page. */
export async function runReport(args: Arguments): Promise<number> {
  const [file] = args.positional;
  const language = choiceOption(args, "lang", ["en", "ja"])!.toLowerCase() as Language;
  const page = args.values.get("output") ?? pagePath(file);
  if (page === file) throw new UsageError(`the page would replace the report itself; -o names another file`);
  await checkNew(args, page);
  const report = await withPrices(await readFile(file, readReport), args.values.get("prices"));
  await writeNamed(page, rendered(file, report, language));
  printLine(oneLine(page));
  return 0;
}

/** The report with its costs at other prices. */
async function withPrices(report: TrialReport, file: string | undefined): Promise<TrialReport> {
  if (file === undefined) return report;
  const cost = await readFile(file, (text) => trialCost(report, parsePrices(text), file), "prices");
  // What was advised for want of prices is done.
  const next = report.verdict.next.filter((advice) => cost === null || advice !== "give prices");
  const priced = { ...report, cost, verdict: { ...report.verdict, next } };
  return report.routing == null ? priced : { ...priced, routing: routingOf(priced) };
}

/** Reads a file; what is wrong with what it says is told with its name. */
async function readFile<T>(file: string, read: (text: string) => T, option?: string): Promise<T> {
  const text = await readNamed(file, option);
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof ReportError || error instanceof PricesError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

/** The page; a report that lacks something deep inside is told as such and not as a fault of ours. */
function rendered(file: string, report: TrialReport, language: Language): string {
  try {
    return renderReport(report, language);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(`${file}: the report is damaged: ${error.message}`);
  }
}
